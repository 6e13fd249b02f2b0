# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Directories: what is in them, and gone with them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any


def remove(path: Path) -> None:
    """Remove a file, or a directory with all that is in it; absent is well."""
    if path.is_file():
        path.unlink()
    elif path.exists() and not path.is_symlink():
        shutil.rmtree(path)


def listing(path: Path) -> str:
    """Return one sha256 (hex) over names, kinds, sizes and times below a directory, without reading any file."""
    digest = hashlib.sha256()
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            stat = os.lstat(os.path.join(place, name))
            line = f"{place[len(str(path)) :]}/{name}\0{stat.st_mode}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def describe(path: Path) -> dict[str, dict[str, Any]]:
    """Return sha256, size and time of each regular file below a directory, by relative path."""
    found = {}
    for place, _folders, names in os.walk(path):
        for name in names:
            file = Path(place, name)
            if not file.is_file() or file.is_symlink():
                continue
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stat = file.stat()
            found[str(file.relative_to(path))] = {"sha256": digest, "size": stat.st_size, "mtime": stat.st_mtime_ns}
    return found
