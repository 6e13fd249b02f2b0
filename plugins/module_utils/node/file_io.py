# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read, write, remove and lock files of a node."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from pathlib import Path

from ..files import atomic_write
from .files import Found

CHUNK = 1 << 20
LOCK_SECONDS = 600


class NodeFileError(Exception):
    """A file could not be written; the message names it, the reason and the next step."""


def find(path: str, with_text: bool) -> Found:
    """Read the file at an absolute path, its text only if requested.

    :raises NodeFileError: if there is a directory.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    if stat.S_ISDIR(status.st_mode):
        raise NodeFileError(f"{path} is a directory, but must be a file. Move it away, then run again.")
    if not stat.S_ISREG(status.st_mode):
        return Found(sha256="not a regular file", text="")
    digest, chunks = hashlib.sha256(), []
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            if with_text:
                chunks.append(chunk)
    text = b"".join(chunks).decode(errors="replace") if with_text else None
    return Found(digest.hexdigest(), text, stat.S_IMODE(status.st_mode), status.st_uid == os.geteuid())


def write(path: str, content: str, mode: int) -> None:
    """Write text to a file atomically.

    :raises NodeFileError: with the path and the reason, for example a full disk.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        atomic_write(path, content, mode)
    except OSError as error:
        raise NodeFileError(f"{path}: cannot be written: {error.strerror}. Fix the cause, then run again.") from error


def remove(path: str) -> bool:
    """Remove a file and return whether there was one."""
    try:
        Path(path).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def hold(path: Path, program: str) -> int:
    """Wait for a lock and return its descriptor, which holds it until closed, also in child processes that inherit it.

    :raises NodeFileError: if a ``program`` of an earlier run still has the lock after LOCK_SECONDS.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOCK_SECONDS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(1)
    os.close(descriptor)
    raise NodeFileError(f"A {program} of an earlier run is still running after {LOCK_SECONDS} s. See: ps -C {program}")
