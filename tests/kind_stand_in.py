# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A container engine and kind that are stand-ins (tests/standins/kind), first in PATH."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from repository import TESTS

STAND_INS = TESTS / "standins/kind"


class StandIn:
    """The state that the stand-ins keep."""

    def __init__(self, home: Path, engine: str) -> None:
        self.home, self.engine, self.kind = home, engine, str(home / "bin/kind")

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.home / "state.json").read_text())

    def set(self, **values: Any) -> None:
        """Change the state."""
        path = self.home / "state.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | values))

    def commands(self) -> list[str]:
        """Every command since the last question."""
        log = self.home / "commands.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines

    def containers(self) -> dict[str, str]:
        """State by container."""
        return {name: one["State"]["Status"] for name, one in self.state["containers"].items()}

    def stop(self, *names: str) -> None:
        """What a restart of the engine may leave."""
        containers = self.state["containers"]
        for name in names or containers:
            containers[name]["State"]["Status"] = "exited"
        self.set(containers=containers)

    def lose(self, name: str) -> None:
        """Remove one container behind everybody's back."""
        self.set(containers={key: one for key, one in self.state["containers"].items() if key != name})

    def file(self, container: str, path: str) -> Path:
        """Where a file of a container lies."""
        return self.home / "files" / container / path.lstrip("/")


def install(home: Path, *programs: str) -> None:
    """Make the stand-ins programs of PATH, run by this Python; the engine without packages, which cost time."""
    (home / "bin").mkdir(exist_ok=True)
    for name in programs:
        program = home / "bin" / name
        python = sys.executable if name == "kind" else f"{sys.executable} -S"
        program.write_text(f'#!/bin/sh\nexec {python} {STAND_INS / name} "$@"\n')
        program.chmod(0o755)


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """An engine without anything, docker unless a test asks for another, and kind."""
    engine = getattr(request, "param", "docker")
    home = tmp_path / "stand-in"
    home.mkdir()
    install(home, engine, "kind")
    monkeypatch.setenv("STAND_IN_STATE", str(home))
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    made = StandIn(home, engine)
    made.set(containers={})
    return made
