# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The module: check mode, diff, second run, refusal, and removal."""

import os
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import Supervisor

PROGRAM = {
    "fleet": "unit",
    "name": "sleeper",
    "command": ["sleep", f"8640{os.getpid()}"],
    "environment": {"TOKEN": "hush"},
}


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = Supervisor(tmp_path / "run", tmp_path / "log")
    monkeypatch.setattr(Supervisor, "of_fleet", classmethod(lambda cls, fleet: made))
    yield made
    made.shut_down(at_once=True)


def test_check_mode_shows_the_program_and_starts_nothing(run, supervisor: Supervisor) -> None:
    result = run("supervised", check=True, **PROGRAM)
    assert result["changed"]
    assert "command=setpriv --pdeathsig KILL -- sleep" in result["diff"]["after"]
    assert "hush" not in str(result["diff"])
    assert not supervisor.runtime.exists()


def test_present_twice_and_absent_twice(run, supervisor: Supervisor) -> None:
    absent = {"fleet": "unit", "name": "sleeper", "state": "absent"}
    assert run("supervised", **PROGRAM)["status"] == "RUNNING"
    assert [run("supervised", check=check, **PROGRAM)["changed"] for check in (True, False)] == [False, False]
    assert run("supervised", check=True, **absent)["changed"]
    assert supervisor.state("sleeper") == "RUNNING"
    assert run("supervised", **absent)["changed"]
    assert not run("supervised", **absent)["changed"]
    assert not supervisor.runtime.exists()


def test_a_changed_secret_is_a_change_that_does_not_show_it(run, supervisor: Supervisor) -> None:
    run("supervised", **PROGRAM)
    result = run("supervised", check=True, **{**PROGRAM, "environment": {"TOKEN": "other"}})
    assert result["changed"]
    assert result["diff"]["before"] != result["diff"]["after"]
    assert "hush" not in str(result["diff"])
    assert "other" not in str(result["diff"])


def test_what_cannot_be_run_is_refused_before_anything_is_created(run, supervisor: Supervisor) -> None:
    result = run("supervised", **{**PROGRAM, "name": "a b", "command": []})
    assert result["failed"]
    assert "name: 'a b'" in result["msg"]
    assert "command: is empty" in result["msg"]
    assert not supervisor.runtime.exists()
