# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Build artifacts from Go modules, crates, PyPI packages, Debian packages and other artifacts."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..plan import pinned_version
from ..store import remove
from .jobs import JobError, Shell

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
# Supported by the C library of Debian bookworm, the oldest root; the newest first.
_GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)
PLATFORMS = [*(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS), "manylinux2014_x86_64", "linux_x86_64"]


@dataclass
class Workplace:
    """Where an artifact is built: its recipe, the directory of the result (``out``) and one for everything else."""

    name: str
    entry: dict[str, Any]
    shell: Shell
    out: Path
    work: Path
    lock: int
    cache: Path
    collection: Path
    needs: dict[str, Path]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the recipe, ``build`` of the entry."""
        recipe: dict[str, Any] = self.entry["build"]
        return recipe

    def run(self, *command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        """Run a command with its output in the log; it inherits the lock of the workspace."""
        self.shell.run(command, env=env, cwd=cwd or self.work, hand=self.lock)

    @property
    def go(self) -> dict[str, str]:
        """Return the environment of Go: the pinned compiler and its caches."""
        root = self.needs["go"] / "go"
        home = self.cache / "go"
        proxies = subprocess.run(
            [f"{root}/bin/go", "env", "GOPROXY"], capture_output=True, text=True, check=True
        ).stdout
        return {
            "GOROOT": str(root),
            "PATH": f"{root}/bin:{os.environ['PATH']}",
            "GOPATH": str(home),
            "GOCACHE": str(home / "build"),
            "GOMODCACHE": str(home / "mod"),
            # Modules come from proxies only, never from their source repositories; go.sum verifies them.
            "GOPROXY": proxies.strip().removesuffix(",direct"),
            "GOTMPDIR": str(self.work),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "-trimpath -buildvcs=false",
            "CGO_ENABLED": "0",
            **self.recipe.get("environment", {}),
        }


def build_go(place: Workplace) -> None:
    """Compile packages of the modules that a go.mod pins."""
    recipe = place.recipe
    command = ["go", "build", "-mod=readonly", "-o", f"{place.work}/bin/"]
    command += ["-tags", recipe["tags"]] if recipe.get("tags") else []
    command += ["-ldflags", recipe.get("ldflags", "-s -w")]
    place.run(*command, *recipe["packages"].values(), env=place.go, cwd=place.collection / recipe["source"])
    for name, package in recipe["packages"].items():
        os.rename(place.work / "bin" / binary_name(package, recipe["source"]), place.out / name)


def binary_name(package: str, source: str) -> str:
    """Return the name that ``go build`` gives the program of a package; ``.`` is the module in ``source``."""
    parts = source.split("/") if package == "." else package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def build_module_files(place: Workplace) -> None:
    """Copy files of a Go module that a go.mod pins."""
    recipe = place.recipe
    source = place.collection / recipe["source"]
    module = recipe["module"]
    place.run("go", "mod", "download", module, env=place.go, cwd=source)
    escaped = "".join(f"!{char.lower()}" if char.isupper() else char for char in module)
    root = Path(place.go["GOMODCACHE"], f"{escaped}@{pinned_version((source / 'go.mod').read_text(), module)}")
    for target, origin in recipe.get("files", {}).items():
        copy(root / origin, place.out / target)
    for target, pattern in recipe.get("joined", {}).items():
        documents = [path.read_text() for path in sorted(root.glob(pattern))]
        (place.out / target).write_text("".join(f"---\n{text.removeprefix('---').strip()}\n" for text in documents))
    for path in recipe.get("without", []):
        remove(place.out / path)
    make_executable(place)


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
    # -B: an artifact with bytecode of its own standard library would no longer be what was built.
    python += [str(root / f"usr/bin/python{recipe['python']}"), "-B", "-m", "compileall", "-q"]
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


def make_executable(place: Workplace) -> None:
    """Make the files of the recipe executable: wheels and modules do not keep modes."""
    for pattern in place.recipe.get("executable", []):
        for path in place.out.glob(pattern):
            path.chmod(0o755)


def copy(origin: Path, target: Path) -> None:
    """Copy a file or a directory tree and make the copy writable for its owner.

    :raises JobError: if the origin does not exist.
    """
    if not origin.exists():
        raise JobError(f"{origin} does not exist")
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_file():
        shutil.copy(origin, target)
        target.chmod(target.stat().st_mode | 0o200)
        return
    shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True)
    for place, _folders, names in os.walk(target):
        os.chmod(place, os.stat(place).st_mode | 0o700)
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o200)
