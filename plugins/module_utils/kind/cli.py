# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Inspect and manage kind clusters, by the programs kind and docker or podman."""

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

from ..container_engine import cli as container_engine
from ..container_engine.cli import Engine, EngineError
from . import config as pure
from .preflight import Seen, Wanted

_LAST_LINES = 20
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout=10s")


class KindError(Exception):
    """kind failed; the message is for the user."""


class Kind:
    """One kind cluster."""

    def __init__(self, engine: Engine, name: str, network: str) -> None:
        """Runs no command."""
        self.engine, self.name, self.network = engine, name, network

    def inspect(self) -> pure.Found:
        """The cluster's containers, control plane first, and the record in them."""
        containers = self.engine.containers(f"label={pure.CLUSTER_LABEL}={self.name}")
        nodes = sorted((pure.node(each) for each in containers), key=lambda each: (each.role, each.name))
        ours = [each for each in nodes if each.role in pure.ROLES and self.network in each.networks]
        texts = (self.engine.read_file(each.name, pure.RECORD) for each in ours)
        return pure.Found(nodes, next(filter(None, texts), ""))

    def create(self, program: str, config: str, lock: int) -> None:
        """Create the cluster; the record is written last. kind itself cleans up when it fails.

        :param lock: a descriptor that kind inherits, so that the next run waits for a kind that outlived its run.
        """
        with tempfile.TemporaryDirectory() as directory:
            # In a temporary file: kind's contexts (kind-…) must not end up in ~/.kube/config.
            words = ["create", "cluster", "--name", self.name, "--config", "-", "--kubeconfig", f"{directory}/config"]
            self._kind(program, *words, stdin=config, hold=(lock,))
        for each in self.inspect().nodes:
            if each.role in pure.ROLES:
                self.engine.write_files(each.name, {pure.RECORD: config})

    def delete(self, found: pure.Found) -> None:
        """Remove the containers with their volumes, as ``kind delete cluster`` does."""
        if found.nodes:
            self.engine.run("rm", "--force", "--volumes", *(each.name for each in found.nodes))

    def start(self, found: pure.Found) -> None:
        """Start stopped containers, control plane first."""
        self.engine.run("start", *(each.name for each in found.nodes if not each.running))

    def wait(self, found: pure.Found, seconds: float) -> None:
        """Wait until the API server of the first node is ready. Raise KindError after that many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._kubectl(found, "get", "--raw", "/readyz")
                return
            except EngineError as error:
                if time.monotonic() > deadline:
                    step = f"See its logs: {self.engine.program} logs {_server(found)}"
                    raise KindError(f"{self.name}: the API is not ready after {seconds} s: {error} {step}") from error
            # A server that does not answer yet cannot be watched.
            time.sleep(1)

    def volumes(self, found: pure.Found) -> list[str] | None:
        """Volumes of the cluster; None if they cannot be listed."""
        try:
            return pure.volumes(json.loads(self._kubectl(found, "get", "persistentvolumes", "--output", "json")))
        except (EngineError, ValueError):
            return None

    def kubeconfig(self, program: str) -> str:
        """The administrator's kubeconfig, as kind prints it."""
        return self._kind(program, "get", "kubeconfig", "--name", self.name)

    def differing(self, found: pure.Found, files: dict[str, str]) -> dict[str, dict[str, str]]:
        """Current content of the files that differ, by node and path."""
        nodes = [each.name for each in found.nodes if each.role in pure.ROLES]
        seen = {name: {path: self.engine.read_file(name, path) for path in files} for name in nodes}
        gaps = {name: {path: text for path, text in has.items() if text != files[path]} for name, has in seen.items()}
        return {name: gap for name, gap in gaps.items() if gap}

    def _kubectl(self, found: pure.Found, *arguments: str) -> bytes:
        return self.engine.run("exec", _server(found), *_KUBECTL, *arguments)

    def _kind(self, program: str, *arguments: str, stdin: str = "", hold: tuple[int, ...] = ()) -> str:
        engine = self.engine.program
        chosen = {"KIND_EXPERIMENTAL_PROVIDER": engine, f"KIND_EXPERIMENTAL_{engine.upper()}_NETWORK": self.network}
        env = {**os.environ, **chosen}
        try:
            done = subprocess.run(
                [program, *arguments], input=stdin, capture_output=True, text=True, env=env, pass_fds=hold, check=False
            )
        except OSError as error:
            raise KindError(f"{self.name}: {program} cannot be run: {error.strerror}.") from error
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise KindError(f"{self.name}: kind {' '.join(arguments[:2])} failed:\n{said}")
        return done.stdout


def _server(found: pure.Found) -> str:
    """The first control-plane container; empty if there is none."""
    return next((each.name for each in found.nodes if each.role == "control-plane"), "")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock, once a kind left over from a killed run has ended. A child process can inherit the descriptor."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def inspect_engine(wanted: Wanted, network: str) -> Seen:
    """What the preflight needs to know of the engine; nothing is pulled or changed."""
    engine = Engine(wanted.engine)
    installed = [each for each in container_engine.ENGINES if Engine(each).installed()]
    if wanted.engine not in installed:
        return Seen(installed=installed)
    try:
        memory = container_engine.memory(engine.info())
        found = {name: Kind(engine, name, network).inspect() for name in wanted.images}
        states = {name: pure.state(each, network) for name, each in found.items()}
        due = [name for name, state in states.items() if state == pure.ABSENT]
        return Seen(
            installed=installed,
            memory=memory,
            foreign={name: found[name] for name, state in states.items() if state == pure.FOREIGN},
            made=[name for name, state in states.items() if state not in (pure.ABSENT, pure.FOREIGN)],
            busy=_busy(engine, {port for name in due for port in wanted.ports[name].values() if port}),
            refused={
                image: "" if engine.has_image(image) else engine.manifest_refusal(image)
                for image in {wanted.images[name] for name in due}
            },
        )
    except (EngineError, ValueError) as error:
        return Seen(installed=installed, refusal=str(error).splitlines()[-1])


def _busy(engine: Engine, ports: set[int]) -> dict[int, str]:
    taken = container_engine.published(engine.containers("status=running"))
    return {port: taken.get(port, "") for port in sorted(ports) if port in taken or container_engine.port_busy(port)}
