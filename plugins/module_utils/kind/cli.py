# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Look at a kind cluster and make it, by the programs kind and docker or podman."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..container_engine.cli import Engine, EngineError
from . import config as pure

_LAST_LINES = 20
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout=10s")


class KindError(Exception):
    """What kind refused, as a sentence for the user."""


class Kind:
    """One cluster of kind."""

    def __init__(self, engine: Engine, name: str, network: str) -> None:
        """Nothing is asked yet."""
        self.engine, self.name, self.network = engine, name, network

    def look(self) -> pure.Found:
        """The cluster's containers, servers first, and the record in them."""
        containers = self.engine.containers(f"label={pure.CLUSTER_LABEL}={self.name}")
        nodes = sorted((pure.node(each) for each in containers), key=lambda each: (each.role, each.name))
        ours = [each for each in nodes if each.role in pure.ROLES and self.network in each.networks]
        texts = (self.engine.read_file(each.name, pure.RECORD) for each in ours)
        return pure.Found(nodes, next(filter(None, texts), ""))

    def create(self, program: str, config: str, lock: int) -> None:
        """Make the cluster; the record is written last. kind itself removes what it began when it fails.

        :param lock: a descriptor that kind holds too, so that the next run waits for one that was left behind.
        """
        with tempfile.TemporaryDirectory() as directory:
            # Its own kubeconfig has contexts named kind-…: nobody's file gets one.
            words = ["create", "cluster", "--name", self.name, "--config", "-", "--kubeconfig", f"{directory}/config"]
            self._kind(program, *words, stdin=config, hold=(lock,))
        for each in self.look().nodes:
            if each.role in pure.ROLES:
                self.engine.write_files(each.name, {pure.RECORD: config})

    def delete(self, found: pure.Found) -> None:
        """Remove the containers with their volumes, as ``kind delete cluster`` does."""
        if found.nodes:
            self.engine.run("rm", "--force", "--volumes", *(each.name for each in found.nodes))

    def start(self, found: pure.Found) -> None:
        """Start what stands still; servers first."""
        self.engine.run("start", *(each.name for each in found.nodes if not each.running))

    def wait(self, found: pure.Found, seconds: float) -> None:
        """Return when the API server of the first node is ready. Raise KindError when it is not in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._kubectl(found, "get", "--raw", "/readyz")
                return
            except EngineError as error:
                if time.monotonic() > deadline:
                    step = f"Look at its containers: {self.engine.program} logs {_server(found)}"
                    raise KindError(f"{self.name}: the API is not ready after {seconds} s: {error} {step}") from error
            # There is no watch on a server that does not answer yet.
            time.sleep(1)

    def volumes(self, found: pure.Found) -> list[str] | None:
        """Volumes of the cluster; None where it cannot say."""
        try:
            return pure.volumes(json.loads(self._kubectl(found, "get", "persistentvolumes", "--output", "json")))
        except (EngineError, ValueError):
            return None

    def kubeconfig(self, program: str) -> str:
        """The administrator's kubeconfig, as kind prints it."""
        return self._kind(program, "get", "kubeconfig", "--name", self.name)

    def differing(self, found: pure.Found, files: dict[str, str]) -> dict[str, dict[str, str]]:
        """For each node what is in those of the files that differ, by path."""
        nodes = [each.name for each in found.nodes if each.role in pure.ROLES]
        seen = {name: {path: self.engine.read_file(name, path) for path in files} for name in nodes}
        gaps = {name: {path: text for path, text in has.items() if text != files[path]} for name, has in seen.items()}
        return {name: gap for name, gap in gaps.items() if gap}

    def _kubectl(self, found: pure.Found, *arguments: str) -> bytes:
        return self.engine.run("exec", _server(found), *_KUBECTL, *arguments)

    def _kind(self, program: str, *arguments: str, stdin: str = "", hold: tuple[int, ...] = ()) -> str:
        engine = self.engine.program
        chosen = {"KIND_EXPERIMENTAL_PROVIDER": engine, f"KIND_EXPERIMENTAL_{engine.upper()}_NETWORK": self.network}
        try:
            done = subprocess.run(
                [program, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                env={**os.environ, **chosen},
                pass_fds=hold,
                check=False,
            )
        except OSError as error:
            raise KindError(f"{self.name}: {program} cannot be run: {error.strerror}.") from error
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise KindError(f"{self.name}: kind {' '.join(arguments[:2])} failed:\n{said}")
        return done.stdout


def _server(found: pure.Found) -> str:
    """The first server; an empty text where there is none, of which the engine knows no container."""
    return next((each.name for each in found.nodes if each.role == "control-plane"), "")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock, after a kind that a killed run left behind has ended; the descriptor can be handed on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
