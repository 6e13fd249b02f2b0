# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Build artifacts from Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..cache_key import pinned_version
from ..store import remove
from .shell import JobError, Shell


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
