# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The comparison that judges a teardown sees what is left."""

import contextlib
import importlib.util
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from repository import TESTS

SPEC = importlib.util.spec_from_file_location("host_state", TESTS / "e2e" / "host_state.py")
host_state = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(host_state)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


def test_a_group_that_another_program_is_in_is_not_ours(tmp_path: Path) -> None:
    """Every login and every timer of a host has a group of its own."""
    commands = {"login/scope": ["sleep", "60"], "left": ["bash", "-c", "exec -a kubelet sleep 60"]}
    with contextlib.ExitStack() as stack:
        for name, command in commands.items():
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
            wait_for(lambda pid=process.pid: b"sleep" in Path(f"/proc/{pid}/comm").read_bytes())
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "cgroup.procs").write_text(f"{process.pid}\n")
        (tmp_path / "empty").mkdir()
        (tmp_path / "odp-e2e.north-1/kubepods").mkdir(parents=True)
        found = host_state._cgroups(tmp_path)
    assert [path.removeprefix(str(tmp_path)) for path in sorted(found)] == ["/empty", "/left", "/odp-e2e.north-1"]


def test_a_group_with_a_process_of_a_machine_is_ours(tmp_path: Path) -> None:
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sleep", "60"]
    with subprocess.Popen(command) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        try:
            wait_for(lambda: bool(children.read_text().split()))
            (tmp_path / "scope").mkdir()
            (tmp_path / "scope/cgroup.procs").write_text(children.read_text())
            assert str(tmp_path / "scope") in host_state._cgroups(tmp_path)
        finally:
            outer.kill()


@pytest.mark.parametrize(
    ("section", "one", "other", "more"),
    [
        ("cgroups", {"/a": "", "/b": ""}, {"/a": ""}, ["cgroups /b: absent -> "]),
        (
            "bpf",
            {"program type 8 sd_fw_egress": "3", "program type 8 sd_fw_ingress": "2"},
            {"program type 8 sd_fw_egress": "2"},
            ["bpf program type 8 sd_fw_egress: 2 -> 3", "bpf program type 8 sd_fw_ingress: absent -> 2"],
        ),
    ],
)
def test_what_goes_with_a_group_is_no_difference(section: str, one: dict, other: dict, more: list[str]) -> None:
    before, after = {section: one, "packages": {}}, {section: other, "packages": {}}
    assert host_state.compare(before, after, []) == []
    assert host_state.compare(after, before, []) == more


@pytest.mark.parametrize(
    "section", ["bpf", "files", "links", "mounts", "nft", "ports", "processes", "routes", "sysctls"]
)
def test_what_a_fleet_took_from_its_host_is_a_difference(section: str) -> None:
    one, other = ({section: each, "packages": {}} for each in ({"a": "1", "b": "1"}, {"a": "1"}))
    assert host_state.compare(one, other, []) == [f"{section} b: 1 -> absent"]


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
