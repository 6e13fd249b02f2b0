# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One of our runs at a time works on a machine's Kubernetes."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

SECONDS = 600


class LockError(Exception):
    """Another run holds the lock for too long."""


def hold(path: Path, program: str) -> int:
    """Wait for the lock; the descriptor holds it until it is closed, also in child processes that get it.

    :raises LockError: if a ``program`` of an earlier run still has it after SECONDS.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(SECONDS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(1)
    os.close(descriptor)
    raise LockError(f"A {program} of an earlier run still runs after {SECONDS} s. See: ps -C {program}")
