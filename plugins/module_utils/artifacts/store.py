# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The store of artifacts on the controller: what is there, and how something whole gets there.

``<cache>/artifacts`` holds what nodes may fetch, ``<cache>/trees`` what is only used here (roots, compilers).
Beside each directory lies its manifest with the digest, size and time of every file, so that nothing is hashed twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..files import atomic_write
from .cache_key import directory_name, files_digest
from .files import describe, listing, remove


class StoreBusy(Exception):
    """Another run holds the store; the text says who."""


class Store:
    """The artifacts below one cache directory."""

    def __init__(self, cache: Path) -> None:
        """Name the directories; nothing is made."""
        self.cache, self.served, self.trees = cache, cache / "artifacts", cache / "trees"
        self.temporary, self.logs, self.registry = cache / "tmp", cache / "log", cache / "registry"

    def path(self, name: str, key: str, tree: bool = False) -> Path:
        """Return the directory of an artifact, there or not."""
        return (self.trees if tree else self.served) / directory_name(name, key)

    def manifest(self, name: str, key: str, tree: bool = False) -> dict[str, Any] | None:
        """Return the manifest of an artifact, or None when it is absent or one of its files was altered."""
        path = self.path(name, key, tree)
        try:
            found = json.loads(path.with_name(path.name + ".json").read_text())
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
        """Give an empty directory, locked while this run or a process of it lives, and the lock to hand on."""
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
        """Remove what killed runs left, unless a process of theirs still lives."""
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
        """Move what was made to its place and write its manifest last: without one it does not count as present."""
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
