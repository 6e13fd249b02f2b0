# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Replace a file atomically. Runs on nodes too."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def atomic_write(path: str | Path, data: str | bytes, mode: int = 0o644) -> None:
    """Replace a file, so that after a kill or a power cut it holds all of the old content or all of the new.

    :param path: the file; its directory exists. A symbolic link there is replaced, not followed.
    :param data: the content, text as UTF-8.
    :param mode: permissions, which the file has before anybody else can read it.
    :raises OSError: if it cannot be written; the old file is still there.
    """
    with atomic_stream(path, mode) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def atomic_stream(path: str | Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Like :func:`atomic_write`, for what does not fit into memory: yields the stream to write to."""
    folder, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    # The name is on disk only once the directory is.
    directory = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
