# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep the CA of a mesh in a directory that only its owner can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...files import atomic_write
from .ca import FILES


def read(directory: Path) -> dict[str, str]:
    """Return the texts of our files by name; those that are not there are left out. Raise OSError."""
    return {name: (directory / name).read_text(errors="replace") for name in FILES if (directory / name).exists()}


def differing(directory: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return which files have another content or can be read by others, and "." for the directory. Raise OSError."""
    present = read(directory)
    found = [name for name, text in wanted.items() if present.get(name) != text or _mode(directory / name) != 0o600]
    return (["."] if not directory.exists() or _mode(directory) != 0o700 else []) + found


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def write(directory: Path, wanted: Mapping[str, str], names: list[str]) -> None:
    """Write the named files in their order, each whole or not at all. Raise OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    for name in (name for name in wanted if name in names):
        atomic_write(directory / name, wanted[name], 0o600)


def remove(directory: Path, check: bool) -> list[str]:
    """Remove our files, and the directory if nothing else is in it; return the names. Raise OSError."""
    gone = [name for name in FILES if (directory / name).exists()]
    if check:
        return gone
    for name in FILES:
        for temporary in directory.glob(f".{name}.*"):  # of a run that was killed
            temporary.unlink()
        (directory / name).unlink(missing_ok=True)
    if directory.exists() and not any(directory.iterdir()):
        directory.rmdir()
    return gone
