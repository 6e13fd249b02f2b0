# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a killed run of tests leaves behind is removed, and nothing else."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import alive

import leftovers
from repository import ROOT

# Does what test.py does: `sleep` stands for a suite, in a session of its own as workers of Ansible are.
RUNNER = """
import subprocess, sys, test
with test.watched():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    print(process.pid, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run whose fleets would be below tmp_path."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER], cwd=ROOT / "verbs", env=environment, text=True, stdin=-1, stdout=-1
    ) as process:
        yield process


def suite(runner: subprocess.Popen[str]) -> int:
    return int(runner.stdout.readline())


def test_the_processes_of_a_killed_run_end(runner: subprocess.Popen[str]) -> None:
    pid = suite(runner)
    runner.kill()
    # The watcher holds the standard output until it has ended.
    assert runner.stdout.read() == "odp: the tests were killed. Processes ended: 1. Fleets removed: none.\n"
    assert not alive(pid)


def test_a_run_that_ends_by_itself_leaves_what_it_started(runner: subprocess.Popen[str]) -> None:
    pid = suite(runner)
    runner.stdin.write("\n")
    runner.stdin.flush()
    assert runner.wait(20) == 0
    assert alive(pid)
    os.kill(pid, 9)


def test_processes_of_another_run_stay() -> None:
    environment = {**os.environ, leftovers.MARK: "other"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        assert leftovers.end(str(uuid.uuid4())) == 0
        assert process.poll() is None
        process.kill()


def test_only_fleets_of_tests_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"e2e": "/tests/one/e2e", "local": "/srv/inventories/local", "near": "/tests-of-others/near"}
    removed = []
    monkeypatch.setattr(host, "records", lambda: {name: {"directory": place} for name, place in places.items()})
    monkeypatch.setattr(host, "remove_fleet", lambda *fleet, check: removed.append((*fleet, check)))
    assert leftovers.remove(Path("/tests")) == ["e2e"]
    assert removed == [("e2e", "/tests/one/e2e", False)]
