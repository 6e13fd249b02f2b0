# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Build roots from Debian packages, and images from Containerfiles, without a container engine."""

from __future__ import annotations

import os
import shutil
import subprocess

from .jobs import JobError
from .recipes import Workplace

# Programs and files that a kind of recipe needs, with their Debian package.
PROGRAMS = {
    "root": {"mmdebstrap": "mmdebstrap", "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"},
    "image": {"buildah": "buildah"},
    "deb": {"dpkg-deb": "dpkg"},
}


def build_root(place: Workplace) -> None:
    """Build a Debian root; without ``sources`` mmdebstrap uses its own default for the suite."""
    recipe = place.recipe
    command = ["mmdebstrap", "--quiet", "--mode=root", f"--variant={recipe['variant']}", "--format=directory"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.get("exclude", [])]
    command += [f"--aptopt={option}" for option in recipe.get("apt", [])]
    command += [f"--include={','.join(recipe['packages'])}"]
    command += [f"--customize-hook={hook}" for hook in recipe.get("hooks", [])]
    place.run(*command, recipe["suite"], str(place.out / "rootfs"), *recipe["sources"])


def build_image(place: Workplace, push_address: str) -> None:
    """Build an image from a Containerfile and push it; the result is its digest."""
    recipe, image = place.recipe, place.entry["image"]
    storage = place.cache / "containers"
    buildah = ["buildah", f"--root={storage}/storage", f"--runroot={storage}/run", "--storage-driver=overlay"]
    local = f"localhost/odp/{place.name.replace('@', '-')}"
    # The same inputs give the same digest: no time, tool version or history.
    command = [*buildah, "build", "--isolation=chroot", "--timestamp=0", "--identity-label=false", "--omit-history"]
    command += ["--layers=false", f"--tag={local}"]
    # A Containerfile names its contexts without a version.
    contexts = {need.partition("@")[0]: path for need, path in sorted(place.needs.items()) if need != "registry"}
    command += [f"--build-context={need}={path}" for need, path in contexts.items()]
    command += [f"--build-arg={name}={value}" for name, value in sorted(recipe.get("arguments", {}).items())]
    digest = place.work / "digest"
    env = {"TMPDIR": str(place.work)}
    place.run(*command, str(place.collection / recipe["source"]), env=env)
    push = [*buildah, "push", "--tls-verify=false", "--compression-format=zstd", "--compression-level=1"]
    place.run(*push, f"--digestfile={digest}", local, f"docker://{push_address}/{image}", env=env)
    place.run(*buildah, "rmi", "--force", local)
    place.facts["digest"] = digest.read_text().strip()


def missing_programs(kinds: set[str]) -> dict[str, str]:
    """Return the programs, with their packages, that builds of these kinds need and this host does not have."""
    needed = {program: package for kind in sorted(kinds) for program, package in PROGRAMS.get(kind, {}).items()}
    there = {program for program in needed if shutil.which(program) or os.path.exists(program)}
    return {program: package for program, package in needed.items() if program not in there}


def install_programs(missing: dict[str, str]) -> None:
    """Install the packages of programs with apt, without starting services.

    :raises JobError: with the reason and the next step.
    """
    names = sorted(set(missing.values()))
    if not shutil.which("apt-get"):
        raise JobError(
            f"{', '.join(sorted(missing))} is not installed, and this host is not Debian or Ubuntu: install "
            f"{', '.join(names)} and run again."
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *names]
    for command in (install, ["apt-get", "update", "--quiet"], install):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0 and command is install:
            return
    raise JobError(f"'{' '.join(install)}' failed: {done.stderr.strip()[-600:]} Run this command, then run again.")
