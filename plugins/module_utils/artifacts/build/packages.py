# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Build artifacts from PyPI packages, Debian packages and other artifacts."""

from __future__ import annotations

import os
import shutil
import sys

from ..store import remove
from .go import Workplace, copy, make_executable
from .shell import JobError

# Supported by the C library of Debian bookworm, the oldest root; the newest first.
_GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
PLATFORMS = [*(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS), "manylinux2014_x86_64", "linux_x86_64"]


def build_pypi(place: Workplace) -> None:
    """Take files from a wheel of PyPI, verified by its sha256."""
    recipe = place.recipe
    wish = place.work / "requirements.txt"
    wish.write_text(f"{recipe['package']}=={recipe['release']} --hash=sha256:{recipe['sha256']}\n")
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes")
    place.run(*pip, "--dest", str(place.work), "--requirement", str(wish), env={"TMPDIR": str(place.work)})
    wheel = next(place.work.glob("*.whl"))
    inside = place.work / "wheel"
    shutil.unpack_archive(wheel, inside, "zip")
    for target, origin in recipe["files"].items():
        os.rename(inside / origin, place.out / target)
    make_executable(place)


def build_python(place: Workplace) -> None:
    """Install wheels from PyPI, verified by the hashes of a lock, for the Python of an image's Debian root.

    They are compiled to bytecode here, because a read-only container would compile them at every start.
    """
    recipe = place.recipe
    site = place.out / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    pip += ["--no-compile", "--target", str(site), "--implementation=cp", f"--python-version={recipe['python']}"]
    pip += [f"--platform={platform}" for platform in PLATFORMS]
    # Packages without a wheel are pure Python.
    pip += [f"--no-binary={package}" for package in recipe.get("sources", [])]
    lock = place.collection / recipe["source"]
    place.run(*pip, "--requirement", str(lock), env={"TMPDIR": str(place.work)})
    for pattern in ("bin", *recipe.get("without", [])):
        for path in site.glob(pattern):
            remove(path)
    root = place.needs[recipe["base"]] / "rootfs"
    python = [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", str(root / "usr/lib/x86_64-linux-gnu")]
    python += [str(root / f"usr/bin/python{recipe['python']}"), "-m", "compileall", "-q"]
    python += ["--invalidation-mode=unchecked-hash", "-s", str(place.out), str(site)]
    # compileall fails for packages that have files for other versions of Python.
    place.run("sh", "-c", '"$@" || true', "sh", *python, env={"PYTHONHOME": str(root / "usr")})
    if not next(site.rglob("*.pyc"), None):
        raise JobError(f"no file of {place.name} was compiled to bytecode")


def build_own(place: Workplace) -> None:
    """Take files of this collection, without bytecode."""
    for target, origin in place.recipe["files"].items():
        copy(place.collection / place.recipe["source"] / origin, place.out / target)
    for path in [*place.out.rglob("__pycache__")]:
        remove(path)


def build_deb(place: Workplace) -> None:
    """Take files from Debian packages without installing them."""
    recipe = place.recipe
    try:
        place.run("apt-get", "download", "--quiet", *recipe["packages"])
    except JobError:
        # The package lists of this host may be missing or out of date.
        place.run("apt-get", "update", "--quiet")
        place.run("apt-get", "download", "--quiet", *recipe["packages"])
    inside = place.work / "deb"
    for package in sorted(place.work.glob("*.deb")):
        place.run("dpkg-deb", "--extract", str(package), str(inside))
    for target, origin in recipe["files"].items():
        copy(inside / origin, place.out / target)


def build_copy(place: Workplace) -> None:
    """Take files from another artifact."""
    for target, origin in place.recipe["files"].items():
        need, _slash, path = origin.partition("/")
        copy(place.needs[need] / path, place.out / target)
