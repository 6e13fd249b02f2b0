# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real supervisord keeps real programs, and reads what is written for it as it was meant."""

import dataclasses
import os
import shlex
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import (
    Program,
    Supervisor,
    SupervisorError,
    alive,
    pids_of,
    program_findings,
    program_text,
    supervisord_text,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from supervisor.options import ServerOptions

WORDS = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


@pytest.fixture
def supervisor(tmp_path: Path):
    made = Supervisor(tmp_path / "run", tmp_path / "log")
    yield made
    made.shut_down(at_once=True)


@pytest.fixture
def sleeper(supervisor: Supervisor) -> Program:
    """A program of which no other test has a copy; it runs."""
    program = Program(name="forever", command=["sleep", f"8639{os.getpid()}"])
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
    program = Program(name="ends", command=["sleep", "1.5"], autorestart="unexpected")
    supervisor.apply(program)
    first = supervisor.pid("ends")
    assert gone(first)
    time.sleep(0.2)
    assert supervisor.state("ends") == "EXITED"
    supervisor.apply(program)
    assert supervisor.pid("ends") not in (0, first)


def test_stopped_programs_stay_stopped_until_they_are_applied(supervisor: Supervisor, sleeper: Program) -> None:
    other = dataclasses.replace(sleeper, name="other")
    supervisor.apply(sleeper)
    supervisor.apply(other)
    supervisor.stop([sleeper.name, "unknown"])
    assert [supervisor.state(name) for name in (sleeper.name, "other")] == ["STOPPED", "RUNNING"]
    supervisor.stop([sleeper.name])
    supervisor.apply(sleeper)
    assert supervisor.state(sleeper.name) == "RUNNING"


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


def read_back(directory: Path, text: str):
    """Return the program as supervisord itself reads it."""
    (directory / "conf.d").mkdir(exist_ok=True)
    (directory / "conf.d" / "x.conf").write_text(text)
    (directory / "supervisord.conf").write_text(supervisord_text(directory, directory))
    options = ServerOptions()
    options.realize(["-c", str(directory / "supervisord.conf")])
    (group,) = options.process_group_configs
    return group.process_configs[0]


@settings(max_examples=30, deadline=None)
@given(command=st.lists(WORDS, min_size=1, max_size=4), value=WORDS)
def test_supervisord_reads_what_was_meant(tmp_path_factory, command: list[str], value: str) -> None:
    program = Program(name="x", command=command, environment={"KEY": value})
    if program_findings(program):
        return
    config = read_back(tmp_path_factory.mktemp("supervisor"), program_text(program, Path("/tmp")))
    assert shlex.split(config.command) == ["setpriv", "--pdeathsig", "KILL", "--", *command]
    assert config.environment == {"KEY": value}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (Program(name="a/b", command=["true"]), "name: 'a/b'"),
        (Program(name="a", command=[]), "command: is empty"),
        (Program(name="a", command=["sh", "-c", "true ; false"]), "command: 'true ; false'"),
        (Program(name="a", command=["a\nb"]), "command:"),
        (Program(name="a", command=["true"], environment={"K": 'a"b'}), "environment: the value of K"),
        (Program(name="a", command=["true"], environment={"K=": "b"}), "environment: 'K='"),
    ],
)
def test_what_supervisord_cannot_carry_is_named(program: Program, expected: str) -> None:
    (finding,) = program_findings(program)
    assert finding.startswith(expected)


def test_a_secret_is_not_in_a_finding() -> None:
    (finding,) = program_findings(Program(name="a", command=["true"], environment={"K": "hush'"}))
    assert "hush" not in finding
