# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Build programs from crates, with the compiler of a Debian root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from .go import Workplace
from .shell import JobError

# The root of the compiler has the DNS settings and certificates of this host, and the workspace at /mnt. The mounts end
# with the command, which has a mount namespace of its own.
ENTER = """
mount --bind "$2" "$1/mnt"
mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
mount --bind /etc/ssl/certs "$1/etc/ssl/certs"
mount -t proc proc "$1/proc"
root=$1
shift 2
exec chroot "$root" "$@"
"""
# Larger and slower programs than upstream's release, compiled in a fraction of the time.
PROFILE = {"LTO": "off", "OPT_LEVEL": "1", "CODEGEN_UNITS": "16", "DEBUG": "false", "STRIP": "true"}


def build_crate(place: Workplace) -> None:
    """Compile the programs of a crate, verified by its sha256, with the dependencies of its own lock.

    :raises JobError: if the crate does not have the sha256 of the recipe.
    """
    recipe = place.recipe
    crate = f"{recipe['crate']}-{recipe['release']}.crate"
    enter = ("sh", "-euc", ENTER, "sh", str(place.needs["rust"] / "rootfs"), str(place.work))
    env = environment(recipe, os.environ)
    place.run(*enter, "cargo", "info", "--quiet", f"{recipe['crate']}@{recipe['release']}", env=env)
    seen = hashlib.sha256(next(place.work.glob(f"cargo/registry/cache/*/{crate}")).read_bytes()).hexdigest()
    if seen != recipe["sha256"]:
        raise JobError(
            f"{crate} has the sha256 {seen}, but the recipe of {place.name} says {recipe['sha256']}: "
            f"compare it with the page of the crate in its registry, then correct the recipe."
        )
    place.run(*enter, *install(recipe), env=env)
    for name in recipe["programs"]:
        os.rename(place.work / "installed/bin" / name, place.out / name)


def install(recipe: Mapping[str, Any]) -> list[str]:
    """Return the command that compiles the crate, with the features of the recipe only.

    Crates that the recipe lists as unoptimized compile in half the time.
    """
    command = ["cargo", "install", recipe["crate"], "--version", str(recipe["release"]), "--locked"]
    command += ["--no-default-features", f"--features={','.join(recipe.get('features', []))}"]
    for crate in recipe.get("unoptimized", []):
        command += ["--config", f"profile.release.package.{crate}.opt-level=0"]
    return [*command, "--root", "/mnt/installed"]


def environment(recipe: Mapping[str, Any], host: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the compiler, without the Rust settings of this host."""
    return {
        **{name: "" for name in host if name.startswith(("CARGO", "RUST"))},
        **{f"CARGO_PROFILE_RELEASE_{name}": value for name, value in PROFILE.items()},
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/mnt",
        "TMPDIR": "/mnt",
        "CARGO_HOME": "/mnt/cargo",
        "CARGO_TARGET_DIR": "/mnt/target",
        "RUSTFLAGS": "-C link-arg=-fuse-ld=mold",
        **recipe.get("environment", {}),
    }
