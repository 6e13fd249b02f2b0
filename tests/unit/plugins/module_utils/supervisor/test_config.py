# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is written for supervisord is read back by supervisord as it was meant."""

import shlex
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.config import (
    Program,
    program_findings,
    program_text,
    supervisord_text,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from supervisor.options import ServerOptions

WORDS = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


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
