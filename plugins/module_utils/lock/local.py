# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Allows one writing run at a time for each fleet on this machine.

A POSIX record lock belongs to the process, not to its children, and the kernel releases it however the process ends.
"""

from __future__ import annotations

import datetime
import fcntl
import getpass
import itertools
import os
import re
import shlex
import socket
import uuid
from collections.abc import Sequence
from pathlib import Path


class FleetInUse(Exception):
    """Another run holds the lock; the text has its user, host, process and start."""


class FleetLock:
    """Holds <state>/lock until `release` or the end of the process."""

    def __init__(self, state: Path, command: Sequence[str]) -> None:
        """Take the lock; creates the directory `state` if it does not exist.

        :raises FleetInUse: another run holds it.
        :raises OSError: the lock file cannot be written.
        """
        state.mkdir(mode=0o700, exist_ok=True)
        path = state / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._read()[0]
            os.close(self._fd)
            raise FleetInUse(refusal(state, holder)) from error
        # The lock excludes other runs of this controller, so Leases that they left belong to dead runs.
        host, kept = socket.gethostname(), self._read()[1].split("/")
        self.controller = "/".join(kept[:2] if kept[0] == host and kept[1:] else (host, str(uuid.uuid4())))
        self.identity = f"{self.controller}/{uuid.uuid4()}"
        self._write(holder_text(command), self.identity)

    def _read(self) -> tuple[str, str]:
        """The holder as text, and the identity of that run or of its controller."""
        words, identity, *_ = [*os.pread(self._fd, 65536, 0).decode(errors="replace").split("\n"), "", ""]
        return words.strip(), identity

    def _write(self, words: str, identity: str) -> None:
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{words}\n{identity}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock; the file stays, without a holder."""
        try:
            self._write("", self.controller)
        finally:
            os.close(self._fd)


def holder_text(command: Sequence[str]) -> str:
    """The holder of the lock, for the message of a refused run."""
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{who()}, since {since}: {shown(command)}"


def who() -> str:
    """User, host and process of this run."""
    return f"{getpass.getuser()} on {socket.gethostname()}, process {os.getpid()}"


def shown(command: Sequence[str]) -> str:
    """The command on one line, without the values of extra variables, which may be secret."""
    words = [os.path.basename(command[0])]
    for before, word in itertools.pairwise(command):
        extra = before in ("-e", "--extra-vars") or word.startswith(("-e", "--extra-vars="))
        words.append(re.sub(r"=.*", "=...", word, flags=re.DOTALL) if extra and "=" in word else word)
        if extra and word.lstrip().startswith("{"):
            words[-1] = "{...}"
    return shlex.join(words)


def refusal(state: Path, holder: str) -> str:
    """The message of a refused run."""
    return (
        f"Fleet {state.parent.name} is in use by {holder or 'another run'} (lock {state / 'lock'}). "
        "Wait until that run has ended, or stop it: the lock ends with its process. `./odp status` works meanwhile."
    )
