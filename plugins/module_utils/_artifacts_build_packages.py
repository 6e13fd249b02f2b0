# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make artifacts from PyPI packages, Debian packages and other artifacts.

Private to this collection; may change without notice.
"""

from __future__ import annotations

import os
import shutil
import sys

from ansible_collections.opendata.platform.plugins.module_utils._artifacts_build import (
    Workplace,
    copy,
    make_executable,
)
from ansible_collections.opendata.platform.plugins.module_utils._artifacts_shell import JobError


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
    for archive in recipe.get("archives", []):
        shutil.unpack_archive(inside / archive, inside, **{} if archive.endswith(".zip") else {"filter": "data"})
    for target, origin in recipe["files"].items():
        os.rename(inside / origin, place.out / target)
    make_executable(place)


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
