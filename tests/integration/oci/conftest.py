# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Real registries on loopback: the fleet's own docker-registry, with what it was asked."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.registry import registry_config

import api_server
from artifact_store import newest

START_SECONDS = 30


class Registry(NamedTuple):
    """One running registry."""

    address: str
    storage: Path
    log: Path

    def requests(self) -> list[str]:
        """What it was asked so far, as ``PUT /v2/team/manifests/latest 201``, uploads without their number."""
        found = re.findall(r'"([A-Z]+ \S+) HTTP/1\.1" (\d+)', self.log.read_text())
        return [f"{re.sub(r'(/uploads/).+', r'\1', request)} {status}" for request, status in found]


@pytest.fixture
def helm() -> Path:
    """The fleet's helm."""
    return newest("*/helm")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """start(http={...}) -> a registry with that added to its configuration, for the time of the test."""
    program = newest("*/docker-registry")
    with contextlib.ExitStack() as stack:

        def run(storage: Path = tmp_path / "storage", read_only: bool = False, **more: dict[str, Any]) -> Registry:
            port = api_server.free_port()
            config = registry_config(str(storage), f"127.0.0.1:{port}", read_only)
            config |= {key: {**config.get(key, {}), **value} for key, value in more.items()}
            path = tmp_path / f"registry-{port}.yml"
            path.write_text(json.dumps(config))
            log = path.with_suffix(".log")
            stream = stack.enter_context(log.open("wb"))
            process = subprocess.Popen([program, "serve", path], stdout=stream, stderr=stream)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            wait(port, process, log)
            return Registry(f"127.0.0.1:{port}", storage, log)

        yield run


def wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the port takes connections."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the registry does not listen: {log.read_text()}")


@pytest.fixture
def registry(start: Callable[..., Registry]) -> Registry:
    """A registry that speaks plain HTTP and takes anything from anybody."""
    return start()
