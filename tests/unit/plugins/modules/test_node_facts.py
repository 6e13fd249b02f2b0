# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a machine says about itself, and what keeps it from being a node."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import facts as pure
from ansible_collections.opendata.platform.plugins.module_utils.node import kernel
from ansible_collections.opendata.platform.plugins.module_utils.node.preflight import answer_finding, findings
from ansible_collections.opendata.platform.plugins.modules import node_facts

NODE = {"name": "metal-1", "address": "192.0.2.11", "role": "control_plane"}
SYSTEMS = {"debian": ["12", "13"], "ubuntu": ["24.04"]}
MEMORY = {"control_plane": 1700, "worker": 900}
GOOD = {"os": {"id": "debian", "version": "13", "name": "Debian 13"}, "systemd": True, "memory_mib": 2048}


def test_files_of_the_machine() -> None:
    release = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n'
    assert pure.os_release(release) == {"id": "debian", "version": "13", "name": "Debian GNU/Linux 13 (trixie)"}
    assert pure.os_release("") == {"id": "", "version": "", "name": ""}
    assert pure.memory_mib("MemFree: 1 kB\nMemTotal:        2097152 kB\n") == 2048
    assert pure.swap_areas("Filename Type Size\n/dev/sda2 partition 1\n") == ["/dev/sda2"]
    assert pure.swap_areas("Filename Type Size\n") == []


@pytest.mark.parametrize(("mask", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_capability(mask: str, has: bool) -> None:
    assert pure.has_capability(f"Name: x\nCapBnd:\t{mask}\n", pure.CAP_SYS_RESOURCE) is has


def test_packages() -> None:
    status = "ii  kmod\nrc  ethtool\nun  iptables\n"
    assert pure.missing_packages(["ethtool", "kmod", "conntrack"], status) == ["ethtool", "conntrack"]


@pytest.mark.parametrize(
    ("version", "systemd", "driver"), [(2, True, "systemd"), (2, False, "cgroupfs"), (1, True, "cgroupfs")]
)
def test_cgroup_driver(version: int, systemd: bool, driver: str) -> None:
    assert pure.cgroup_driver(version, systemd) == driver


def test_this_machine_is_looked_at(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    paths = [str(tmp_path), str(tmp_path / "none")]
    facts = run("node_facts", packages=["no-such-package"], paths=paths)["facts"]
    assert facts["existing"] == [str(tmp_path)]
    assert facts["packages_missing"] == ["no-such-package"] and facts["memory_mib"] > 0
    assert set(pure.KERNEL_FEATURES) < set(facts["kernel"])
    planned = run("node_facts", planned=True, packages=["no-such-package"], paths=paths)["facts"]
    assert planned["packages_missing"] == planned["existing"] == []


@pytest.mark.parametrize(("container", "foreign"), [("none", True), ("systemd-nspawn", False)])
def test_kernel_settings_are_due_until_set_and_again_when_altered(
    run: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    container: str,
    foreign: bool,
) -> None:
    forward = tmp_path / "proc/sys/net/ipv4/ip_forward"
    forward.parent.mkdir(parents=True)
    forward.write_text("0\n")
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(node_facts, "output", lambda *command: container if command[0] == "systemd-detect-virt" else "")
    wanted = {"sysctls": {"net.ipv4.ip_forward": 1}}
    assert run("node_facts")["facts"]["kernel_due"] is False
    assert run("node_facts", planned=True)["facts"]["kernel_due"] is True
    assert run("node_facts", **wanted)["facts"]["kernel_due"] is True
    run("kernel_settings", **wanted)
    assert run("node_facts", **wanted)["facts"]["kernel_due"] is False
    assert run("node_facts", **wanted, machine_sysctls={"fs.nr_open": 1})["facts"]["kernel_due"] is foreign
    assert run("node_facts", **wanted, modules=["no-such-module"])["facts"]["kernel_due"] is True
    forward.write_text("0\n")
    assert run("node_facts", **wanted)["facts"]["kernel_due"] is True


def test_a_good_machine() -> None:
    assert findings(GOOD, NODE, SYSTEMS, MEMORY, "hosts.yml") == []
    assert answer_finding({"rc": 0, "stdout": "user 0 python 3 13\n"}, NODE, "hosts.yml") is None


def test_all_findings_at_once() -> None:
    bad = {"os": {"id": "fedora", "version": "44", "name": "Fedora 44"}, "systemd": False, "memory_mib": 512}
    found = findings(bad, NODE, SYSTEMS, MEMORY, "hosts.yml")
    assert [(each.subject, each.variable, each.where) for each in found] == [
        ("metal-1", "node_address", "hosts.yml"),
        ("metal-1", "node_address", "hosts.yml"),
        ("metal-1", "node_role", "hosts.yml"),
    ]
    assert str(found[0]).startswith(
        "metal-1: node_address: 192.0.2.11 runs Fedora 44, which is not supported (hosts.yml). "
        "Supported: debian 12, 13; ubuntu 24.04."
    )
    assert found[2].problem == "control_plane needs 1700 MiB of memory, 192.0.2.11 has 512"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"unreachable": True, "msg": "ssh: connect: timed out"}, "does not answer SSH: ssh: connect: timed out"),
        ({"rc": 127, "stderr": "python3: not found"}, "python3 does not run as root on 192.0.2.11: python3: not found"),
        ({"rc": 0, "stdout": "user 1000 python 3 13"}, "user 1000 of 192.0.2.11 is not root"),
        ({"rc": 0, "stdout": "user 0 python 3 9"}, "python3 of 192.0.2.11 is 3.9"),
    ],
)
def test_a_bad_answer(answer: dict[str, Any], words: str) -> None:
    found = answer_finding(answer, NODE, "hosts.yml")
    assert found and found.subject == "metal-1" and found.where == "hosts.yml" and words in found.problem
