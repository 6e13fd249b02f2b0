# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read, write and remove the files of a node."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from ..files import atomic_write
from .files import Found

CHUNK = 1 << 20


class NodeFileError(Exception):
    """A file could not be made; the message says which, why and what to do."""


def find(path: str, with_text: bool) -> Found:
    """Look at a path.

    :param path: absolute path.
    :param with_text: whether the text is wanted for a diff.
    :raises NodeFileError: if a directory is in the way.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    if stat.S_ISDIR(status.st_mode):
        raise NodeFileError(f"{path}: there is a directory where a file must be. Move it away, then run again.")
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
    """Write text to a file, all or nothing.

    :raises NodeFileError: with the path and the reason, for instance a full disk.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        atomic_write(path, content, mode)
    except OSError as error:
        raise NodeFileError(f"{path}: cannot be written: {error.strerror}. Fix that, then run again.") from error


def remove(path: str) -> bool:
    """Remove a file; True if there was one."""
    try:
        Path(path).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
