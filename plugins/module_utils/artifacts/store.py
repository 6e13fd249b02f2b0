# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The store of artifacts on the controller, where an artifact is complete or absent.

``<cache>/artifacts`` has what nodes may fetch, ``<cache>/trees`` what is only used here (roots, compilers).
Beside each directory is its manifest with the digest, size and time of every file, so that no file is hashed twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..files import atomic_write


class StoreBusy(Exception):
    """Another run holds the store; the message names its process."""


class Store:
    """The artifacts in a cache directory."""

    def __init__(self, cache: Path) -> None:
        """Set the paths; nothing is created."""
        self.cache, self.served, self.trees = cache, cache / "artifacts", cache / "trees"
        self.temporary, self.logs, self.registry = cache / "tmp", cache / "log", cache / "registry"

    def path(self, name: str, key: str, tree: bool = False) -> Path:
        """Return the directory of an artifact, whether it exists or not."""
        return (self.trees if tree else self.served) / directory_name(name, key)

    def manifest(self, name: str, key: str, tree: bool = False) -> dict[str, Any] | None:
        """Return the manifest of an artifact, or None if it is absent or one of its files was changed."""
        path = self.path(name, key, tree)
        try:
            found: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text())
        except (OSError, ValueError):
            return None
        if found.get("key") != key:
            return None
        if tree:
            return found if path.is_dir() and listing(path) == found["listing"] else None
        for relative, kept in found["files"].items():
            try:
                stat = (path / relative).stat()
            except OSError:
                return None
            if (stat.st_size, stat.st_mtime_ns) != (kept["size"], kept["mtime"]):
                return None
        return found

    @contextlib.contextmanager
    def workspace(self, name: str) -> Iterator[tuple[Path, int]]:
        """Yield an empty directory and its lock, which this run and the processes that inherit it hold."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.temporary))
        lock = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield path, lock
        finally:
            os.close(lock)
            remove(path)

    def sweep(self) -> None:
        """Remove the workspaces of killed runs, unless a process of theirs is still running."""
        for path in self.temporary.iterdir() if self.temporary.is_dir() else []:
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            except BlockingIOError:
                continue
            finally:
                os.close(lock)

    def keep(self, made: Path, name: str, key: str, tree: bool, facts: dict[str, Any]) -> None:
        """Move a finished artifact into place and write its manifest last: without it the artifact counts as absent."""
        target = self.path(name, key, tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        manifest = target.with_name(target.name + ".json")
        manifest.unlink(missing_ok=True)
        remove(target)
        files = describe(made)
        os.rename(made, target)
        record = {**facts, "name": name, "key": key, "digest": facts.get("digest") or "sha256:" + files_digest(files)}
        record.update({"listing": listing(target)} if tree else {"files": files})
        atomic_write(manifest, json.dumps(record, indent=1, sort_keys=True) + "\n")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the store for one run.

        :raises StoreBusy: when another run holds it.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        path = self.cache / "artifacts.lock"
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreBusy(f"process {stream.read().strip() or 'unknown'} holds {path}") from error
            stream.truncate(0)
            stream.write(f"{os.getpid()}")
            stream.flush()
            yield


def directory_name(name: str, key: str) -> str:
    """Return the name of an artifact's directory in the store: its name and 12 digits of its key."""
    return f"{name}-{key[:12]}"


def files_digest(files: dict[str, dict[str, Any]]) -> str:
    """Return one sha256 (hex) over the files of an artifact.

    A single file's digest is its own sha256, so that ``sha256sum`` can check it.
    """
    if len(files) == 1:
        return str(next(iter(files.values()))["sha256"])
    lines = "".join(f"{files[path]['sha256']}  {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a directory tree, if it exists."""
    if path.is_file():
        path.unlink()
    elif path.exists() and not path.is_symlink():
        shutil.rmtree(path)


def listing(path: Path) -> str:
    """Return a sha256 (hex) over names, modes, sizes and times below a directory, without reading any file."""
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
