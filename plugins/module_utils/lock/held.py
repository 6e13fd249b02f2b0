# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The locks of a run: one writing run at a time for each fleet on this machine, and for each cluster anywhere.

On this machine by a POSIX record lock: it belongs to the process, not to its children, and the kernel releases it
however the process ends.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import itertools
import json
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import lease

KEEPER = "ansible_collections.opendata.platform.plugins.module_utils.lock.lease_client"
RELEASE_SECONDS = 10


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


class ClustersInUse(Exception):
    """Other runs hold Leases; the text has the holder, the start and the expiry of each."""


class FleetLeases:
    """The Leases of the clusters that this run writes to, held until `release` or the end of this process."""

    def __init__(self, run: lease.Run, seconds: int = lease.SECONDS) -> None:
        """Start the keeper, which is ready by the time the inventory is read."""
        # The root of the collections that contain this one, however Ansible found it.
        paths = [str(Path(__file__).parents[6]), *filter(None, [os.environ.get("PYTHONPATH")])]
        # In its own session, because Ctrl-C is for the run, whose end it detects.
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", KEEPER, json.dumps(asdict(run)), str(seconds)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the keeper runs; without it only the local lock is left."""
        return self._keeper.poll() is None

    def take(self, fleet: dict[str, Any], hosts: set[str]) -> None:
        """Take the Leases of the clusters that hosts belong to and that answer.

        :raises ClustersInUse: other runs hold some of them.
        """
        clusters = {
            name: {"kubeconfig": cluster["kubeconfig"], "uid": cluster["uid_file"]}
            for name, cluster in fleet["clusters"].items()
            if hosts & {name, *cluster["nodes"]} and Path(cluster["kubeconfig"]).exists()
        }
        if clusters and self._keeper.stdin:
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(clusters), file=self._keeper.stdin, flush=True)
                self._hear()

    def check(self) -> None:
        """Raise ClustersInUse if a Lease was lost, for example while this controller was suspended."""
        if self._keeper.stdout and select.select([self._keeper.stdout], [], [], 0)[0]:
            self._hear()

    def release(self) -> None:
        """Let the keeper release all Leases, so that the next run does not have to wait."""
        with contextlib.suppress(OSError):
            if self._keeper.stdin:
                self._keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(RELEASE_SECONDS)

    def _hear(self) -> None:
        """Read one answer of the keeper; nothing if it has ended."""
        line = self._keeper.stdout.readline() if self._keeper.stdout else ""
        if refused := json.loads(line or "{}").get("refused"):
            raise ClustersInUse("\n".join(refused))
