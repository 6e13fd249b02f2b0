# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make programs from crates, with the compiler of a Debian root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from .go import Workplace
from .shell import JobError

# The compiler's root knows names and certificates as this host does, and has the workspace at /mnt. The mounts end with
# the command: the shell of a job gives each command of root's mounts of its own.
ENTER = """
mount --bind "$2" "$1/mnt"
mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
mount --bind /etc/ssl/certs "$1/etc/ssl/certs"
mount -t proc proc "$1/proc"
root=$1
shift 2
exec chroot "$root" "$@"
"""
# Not as small and fast as a release of upstream: compiled in a fraction of the time.
PROFILE = {"LTO": "off", "OPT_LEVEL": "1", "CODEGEN_UNITS": "16", "DEBUG": "false", "STRIP": "true"}


def build_crate(place: Workplace) -> None:
    """Compile a crate, proved by its sha256, with the dependencies that its own lock pins, and take its programs.

    :raises JobError: when the crate is another one than the recipe's.
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
            f"compare it with the registry's page of the crate, then correct the recipe."
        )
    place.run(*enter, *install(recipe), env=env)
    for name in recipe["programs"]:
        os.rename(place.work / "installed/bin" / name, place.out / name)


def install(recipe: Mapping[str, Any]) -> list[str]:
    """Return the command that compiles the crate; without its default features, so that each is chosen.

    Crates that the recipe calls unoptimized are compiled in half of the time: what is large and not busy.
    """
    command = ["cargo", "install", recipe["crate"], "--version", str(recipe["release"]), "--locked"]
    command += ["--no-default-features", f"--features={','.join(recipe.get('features', []))}"]
    for crate in recipe.get("unoptimized", []):
        command += ["--config", f"profile.release.package.{crate}.opt-level=0"]
    return [*command, "--root", "/mnt/installed"]


def environment(recipe: Mapping[str, Any], host: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the compiler: nothing of this host's own Rust."""
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
