# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet's lock between real processes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import FleetInUse, FleetLock

from repository import TESTS

HOLDER = """
import sys, pathlib
import conftest
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import FleetLock
lock = FleetLock(pathlib.Path(sys.argv[1]), ["/x/ansible-playbook", "site.yml"])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "north-south" / ".state"


@pytest.fixture
def holder(state: Path):
    """Another process that holds the lock."""
    state.parent.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", HOLDER, str(state)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_holds_the_lock(state: Path, holder: subprocess.Popen) -> None:
    with pytest.raises(FleetInUse) as refused:
        FleetLock(state, ["ansible-playbook"])
    for words in ("Fleet north-south is in use by", f"process {holder.pid}", "since 20", "ansible-playbook site.yml"):
        assert words in str(refused.value)
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "lock").stat().st_mode & 0o777 == 0o600


def test_the_kernel_frees_the_lock_of_a_killed_run(state: Path, holder: subprocess.Popen) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    dead = (state / "lock").read_text().splitlines()[1]
    lock = FleetLock(state, ["ansible-playbook"])
    assert dead.startswith(f"{lock.controller}/") and dead != lock.identity
    lock.release()


def test_what_a_run_of_another_host_left_proves_nothing(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "lock").write_text("anna on another.example.org, process 1, since then: x\nanother.example.org/1\n")
    lock = FleetLock(state, ["ansible-playbook"])
    assert "another" not in lock.controller + lock.identity
    lock.release()


def test_a_lock_that_was_cut_short_makes_no_other_controller_of_this_host_one_of_ours(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "lock").write_text(f"x\n{socket.gethostname()}")
    lock = FleetLock(state, ["ansible-playbook"])
    assert lock.controller != socket.gethostname()
    lock.release()


def test_a_released_lock_can_be_taken_again(state: Path) -> None:
    state.parent.mkdir()
    first = FleetLock(state, ["ansible-playbook"])
    first.release()
    lock = FleetLock(state, ["ansible-playbook", "again"])
    assert (state / "lock").read_text().splitlines()[0].endswith("ansible-playbook again")
    assert (lock.controller, lock.identity != first.identity) == (first.controller, True)
    lock.release()
    assert (state / "lock").read_text() == f"\n{lock.controller}\n"
