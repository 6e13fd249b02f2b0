# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real supervisord keeps real programs, through what can happen to both."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import (
    Supervisor,
    SupervisorError,
    alive,
    pids_of,
)
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.config import Program


@pytest.fixture
def supervisor(tmp_path: Path):
    made = Supervisor(tmp_path / "run", tmp_path / "log")
    yield made
    made.shut_down(at_once=True)


@pytest.fixture
def sleeper(supervisor: Supervisor) -> Program:
    """A program of which no other test has a copy; it runs."""
    program = Program(name="forever", command=["sleep", f"8639{os.getpid()}"], start_seconds=0)
    supervisor.apply(program)
    return program


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_a_program_runs_and_a_second_time_is_left_alone(supervisor: Supervisor, sleeper: Program) -> None:
    first = supervisor.pid("forever")
    supervisor.apply(sleeper)
    assert supervisor.state("forever") == "RUNNING"
    assert supervisor.pid("forever") == first
    assert pids_of(*sleeper.command) == [first]


def test_only_the_program_that_changed_is_restarted(supervisor: Supervisor, sleeper: Program) -> None:
    supervisor.apply(replace(sleeper, name="other"))
    before = supervisor.pid("forever"), supervisor.pid("other")
    supervisor.apply(replace(sleeper, environment={"A": "1"}))
    after = supervisor.pid("forever"), supervisor.pid("other")
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_programs_die_with_a_killed_supervisord_and_are_not_doubled(supervisor: Supervisor, sleeper: Program) -> None:
    pid = supervisor.pid("forever")
    os.kill(supervisor.pids()[0], signal.SIGKILL)
    assert gone(pid)
    supervisor.apply(sleeper)
    assert pids_of(*sleeper.command) == [supervisor.pid("forever")]


def test_a_supervisord_that_lost_its_socket_is_replaced(supervisor: Supervisor, sleeper: Program) -> None:
    old = supervisor.pids()
    supervisor.socket.unlink()
    supervisor.apply(sleeper)
    assert len(supervisor.pids()) == 1
    assert supervisor.pids() != old
    assert pids_of(*sleeper.command) == [supervisor.pid("forever")]


def test_a_program_that_was_killed_comes_back(supervisor: Supervisor, sleeper: Program) -> None:
    pid = supervisor.pid("forever")
    os.kill(pid, signal.SIGKILL)
    supervisor.apply(sleeper)
    assert supervisor.pid("forever") not in (0, pid)


def test_a_wanted_end_is_kept_until_the_next_run(supervisor: Supervisor) -> None:
    program = Program(name="ends", command=["sleep", "0.5"], autorestart="unexpected", start_seconds=0)
    supervisor.apply(program)
    first = supervisor.pid("ends")
    assert gone(first)
    time.sleep(0.2)
    assert supervisor.state("ends") == "EXITED"
    supervisor.apply(program)
    assert supervisor.pid("ends") not in (0, first)


def test_a_program_that_cannot_run_fails_with_what_it_said(supervisor: Supervisor) -> None:
    with pytest.raises(SupervisorError, match=r"wrong is FATAL.*\n.*cannot access '/nowhere'"):
        supervisor.apply(Program(name="wrong", command=["ls", "/nowhere"]))


def test_the_last_program_takes_supervisord_and_all_files_along(supervisor: Supervisor, sleeper: Program) -> None:
    supervisor.apply(replace(sleeper, name="other"))
    supervisor.remove("other")
    assert supervisor.pids()
    supervisor.remove("forever")
    assert supervisor.pids() == []
    assert not supervisor.runtime.exists()
    assert not supervisor.logs.exists()
    supervisor.remove("forever")
    assert not supervisor.runtime.exists()


def test_the_environment_of_ansible_does_not_reach_a_program(supervisor: Supervisor, sleeper: Program) -> None:
    environment = Path(f"/proc/{supervisor.pid('forever')}/environ")
    deadline = time.monotonic() + 10
    # Empty for the moment between fork and exec.
    while "PATH=" not in (names := environment.read_text()):
        assert time.monotonic() < deadline
    assert not any(word in names for word in ("HOME=", "ANSIBLE", "PYTEST"))
