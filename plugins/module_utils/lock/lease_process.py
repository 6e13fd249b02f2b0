# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Starts and queries the process that renews the Leases of this run."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import lease

KEEPER = "ansible_collections.opendata.platform.plugins.module_utils.lock.lease_client"
RELEASE_SECONDS = 10


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
