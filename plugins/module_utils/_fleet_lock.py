# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One writing run at a time for each fleet. Private to this collection.

A POSIX record lock belongs to the process, not to its children: the kernel frees it at any end of the process.
"""

from __future__ import annotations

import datetime
import fcntl
import getpass
import os
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path


class FleetInUse(Exception):
    """Another run holds the lock; the text says who, where and since when."""


class FleetLock:
    """Holds <state>/lock until `release` or the end of the process."""

    def __init__(self, state: Path, command: Sequence[str]) -> None:
        """Take the lock, make `state` when it is not there. Raises FleetInUse, OSError."""
        state.mkdir(mode=0o700, exist_ok=True)
        path = state / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 4096).decode(errors="replace").strip()
            os.close(self._fd)
            raise FleetInUse(refusal(state, holder)) from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, holder_text(command).encode())

    def release(self) -> None:
        """Free the lock; the file stays, empty."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def holder_text(command: Sequence[str]) -> str:
    """Who holds the lock, for the one who is refused."""
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = shlex.join([os.path.basename(command[0]), *command[1:]])
    return f"{getpass.getuser()} on {socket.gethostname()}, process {os.getpid()}, since {since}: {words}\n"


def refusal(state: Path, holder: str) -> str:
    """The message of a refused run."""
    return (
        f"Fleet {state.parent.name} is in use by {holder or 'another run'} (lock {state / 'lock'}). "
        "Wait until that run has ended or stop it: the lock ends with its process. `./odp status` works meanwhile."
    )
