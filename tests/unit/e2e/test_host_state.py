# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The comparison that judges a teardown sees what is left."""

import importlib.util
import socket

from repository import TESTS

SPEC = importlib.util.spec_from_file_location("host_state", TESTS / "e2e" / "host_state.py")
host_state = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(host_state)

BEFORE = {"links": {"eth0": ""}, "sysctls": {"kernel.panic": "0"}, "packages": {"bash": ""}}
AFTER = {
    "links": {"eth0": "", "odp-local": "bridge"},
    "sysctls": {"kernel.panic": "10", "kernel.unprivileged_bpf_disabled": "1"},
    "packages": {"bash": ""},
}


def test_what_is_more_less_or_different_is_listed() -> None:
    assert host_state.compare(BEFORE, AFTER, []) == [
        "links odp-local: absent -> bridge",
        "sysctls kernel.panic: 0 -> 10",
        "sysctls kernel.unprivileged_bpf_disabled: absent -> 1",
    ]
    assert len(host_state.compare(AFTER, BEFORE, [])) == 3
    assert host_state.compare(AFTER, AFTER, []) == []


def test_an_exception_covers_only_the_name_it_matches_as_a_whole() -> None:
    found = host_state.compare(BEFORE, AFTER, [*host_state.EXCEPTIONS, r"sysctls kernel\.pan"])
    assert found == ["links odp-local: absent -> bridge", "sysctls kernel.panic: 0 -> 10"]


def test_a_group_that_ended_with_another_program_is_no_difference() -> None:
    one, other = ({"cgroups": dict.fromkeys(names, ""), "packages": {}} for names in (["/a", "/b"], ["/a"]))
    assert host_state.compare(one, other, []) == []
    assert host_state.compare(other, one, []) == ["cgroups /b: absent -> "]


def test_programs_of_the_kernel_that_went_with_a_group_are_no_difference() -> None:
    one, other = (
        {"bpf": found, "packages": {}} for found in ({"program a": "10", "program b": "2"}, {"program a": "9"})
    )
    assert host_state.compare(one, other, []) == []
    assert host_state.compare(other, one, []) == ["bpf program a: 9 -> 10", "bpf program b: absent -> 2"]


def test_a_listening_port_is_seen() -> None:
    before = host_state._ports()
    with socket.create_server(("127.0.0.1", 0)) as server:
        new = host_state._ports().keys() - before.keys()
        assert any(name.endswith(f":{server.getsockname()[1]}") for name in new)


def test_repeated_rules_are_counted() -> None:
    assert list(host_state._numbered(["}", "a", "}"])) == ["}", "a", "} (2)"]


def test_what_the_kernel_frees_a_moment_later_is_not_left_behind(monkeypatch) -> None:
    moments = iter([AFTER, BEFORE])
    monkeypatch.setattr(host_state, "snapshot", lambda: next(moments))
    assert host_state.left_behind(BEFORE) == []
    monkeypatch.setattr(host_state, "snapshot", lambda: AFTER)
    assert len(host_state.left_behind(BEFORE, seconds=0)) == 2
