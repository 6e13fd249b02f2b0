# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Three meshed clusters on seven machines, one with three control plane nodes: what is done to clusters that run."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import host_state
from fleet import Fleet, run, wait_until

pytestmark = pytest.mark.e2e
VERSION = "v1.36.3"
SERVERS = ["ha-1", "ha-2", "ha-3"]


@pytest.fixture(scope="module")
def trio(host_before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The fleet, made once; whatever happened, it is taken down at the end."""
    made = Fleet(tmp_path_factory.mktemp("inventories") / "trio", "10.76.0")
    made.lay_out(
        {"ha": {"cluster_virtual_address": "10.76.0.10"}, "one": {}, "two": {}},
        {
            "ha": [(name, "control_plane", last) for last, name in enumerate(SERVERS, start=11)],
            "one": [("one-1", "control_plane", 21)],
            "two": [("two-1", "control_plane", 31), ("two-2", "worker", 32), ("two-3", "worker", 33)],
        },
    )
    made.build()
    try:
        up = made.must(timeout=900)
        print(f"seven machines, three clusters, meshed: {up.seconds:.0f} s")
        yield made
    finally:
        ended = made.down()
    assert ended.code == 0, ended.tail()
    left = host_state.left_behind(host_before)
    assert left == [], f"{left}\n{ended.tail()}"


def nodes(fleet: Fleet, cluster: str) -> dict[str, tuple[str, bool, bool]]:
    """By node the version of its kubelet, whether it is ready, whether it takes pods."""
    listed = json.loads(fleet.kubectl(cluster, "get", "nodes", "-o", "json", check=False) or '{"items": []}')
    return {
        item["metadata"]["name"]: (
            item["status"]["nodeInfo"]["kubeletVersion"],
            any(each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]),
            not item["spec"].get("unschedulable", False),
        )
        for item in listed["items"]
    }


def all_are(fleet: Fleet, cluster: str, names: list[str]) -> bool:
    return nodes(fleet, cluster) == dict.fromkeys(names, (VERSION, True, True))


def members(fleet: Fleet, server: str) -> list[str]:
    """Names of etcd's members, as a server sees them."""
    keys = "--cacert=ca.crt --cert=healthcheck-client.crt --key=healthcheck-client.key"
    command = f"cd /etc/kubernetes/pki/etcd && etcdctl --endpoints=https://127.0.0.1:2379 {keys} member list -w json"
    return sorted(each["name"] for each in json.loads(fleet.ssh(server, command))["members"])


def test_all_are_made_and_a_second_run_changes_nothing(trio: Fleet) -> None:
    assert all_are(trio, "ha", SERVERS)
    assert all_are(trio, "one", ["one-1"])
    assert all_are(trio, "two", ["two-1", "two-2", "two-3"])
    since = time.time()
    again = trio.must()
    assert again.changes == 0, again.output
    for server in (*SERVERS, "one-1", "two-1"):
        assert trio.mutating_requests(server, since) == []
    print(f"second run: {again.seconds:.0f} s")


def test_a_machine_that_is_cut_off_stops_no_other_and_is_healed_by_a_rerun(trio: Fleet) -> None:
    link = f"vb-{trio.name}-two-3"
    trio.ssh("one-1", "echo altered > /etc/sysctl.d/90-opendata-platform.conf")
    assert run(["ip", "link", "set", "dev", link, "down"], 10).returncode == 0
    try:
        cut = trio.play()
    finally:
        run(["ip", "link", "set", "dev", link, "up"], 10)
    assert cut.code != 0
    assert cut.changed["one-1"] == 1, cut.tail()
    table = {line.split()[0]: line for line in cut.tail(12).splitlines() if line.startswith(("ha ", "one ", "two "))}
    assert table["ha"].endswith(" ok") and table["one"].endswith(" ok"), cut.tail()
    assert "two-3" in table["two"], cut.tail()
    trio.must()
    assert trio.must().changes == 0


def test_the_first_server_is_replaced(trio: Fleet) -> None:
    refused = trio.play("playbooks/remove.yml", "-e", "remove=one-1")
    assert refused.code != 0
    assert "one: removing one-1 would leave no control plane." in refused.output, refused.tail()
    gone = trio.must("playbooks/remove.yml", "-e", "remove=ha-1")
    assert all_are(trio, "ha", SERVERS[1:]), gone.tail()
    assert members(trio, "ha-2") == SERVERS[1:]
    assert trio.ssh("ha-1", "ls -d /etc/kubernetes /var/lib/etcd/member /usr/bin/kubelet", check=False) == ""
    back = trio.must()
    print(f"one server more: {back.seconds:.0f} s")
    assert all_are(trio, "ha", SERVERS), back.tail()
    assert members(trio, "ha-1") == SERVERS
    assert trio.must().changes == 0


def test_certificates_are_renewed(trio: Fleet) -> None:
    before = trio.ssh("ha-2", "sha256sum /etc/kubernetes/pki/apiserver.crt")
    assert trio.must("playbooks/renew.yml").changes == 0
    trio.must("playbooks/renew.yml", "-e", "renew_before_days=400")
    assert trio.ssh("ha-2", "sha256sum /etc/kubernetes/pki/apiserver.crt") != before
    wait_until("ha is ready with new certificates", lambda: all_are(trio, "ha", SERVERS), 90)
    assert trio.must().changes == 0


def test_a_cluster_that_is_gone_is_restored_from_its_backup(trio: Fleet) -> None:
    trio.kubectl("ha", "create", "configmap", "before", "--from-literal=word=kept")
    trio.kubectl("ha", "create", "secret", "generic", "before", "--from-literal=word=kept")
    kept = trio.must("playbooks/backup.yml")
    backup = re.search(r"ha: backup in (\S+)", kept.output)[1]
    trio.kubectl("ha", "create", "configmap", "after")
    refused = trio.play("playbooks/restore.yml", "-e", f"restore_from={backup}")
    assert refused.code != 0
    said = " ".join(refused.output.split())
    assert "ha: cluster data found on ha-1, ha-2, ha-3; the restore would replace it. To confirm that, also" in said
    assert "also after an interrupted restore, add: -e restore_confirm=ha" in said
    for name in SERVERS:
        destroy(trio, name)
    Path(trio.state / "kubeconfigs/ha").unlink()
    (trio.state / "clusters/ha/encryption.key").unlink()
    restored = trio.must("playbooks/restore.yml", "-e", f"restore_from={backup}", timeout=900)
    print(f"restore of three servers: {restored.seconds:.0f} s")
    assert all_are(trio, "ha", SERVERS), restored.tail()
    names = trio.kubectl("ha", "get", "configmaps,secrets", "-o", "name").split()
    assert {"configmap/before", "secret/before"} <= set(names)
    assert "configmap/after" not in names
    assert trio.kubectl("ha", "get", "secret", "before", "-o", "jsonpath={.data.word}") == "a2VwdA=="
    assert trio.must().changes == 0


def destroy(fleet: Fleet, machine: str) -> None:
    """A machine with all that it kept is gone, as when its disk is lost."""
    directory = Path("/var/lib/odp") / fleet.name / "machines" / machine
    assert directory.is_dir(), directory
    fleet.ssh(machine, "poweroff --force", check=False)
    wait_until(f"{machine} is off", lambda: not host_state.machine_processes(fleet.name, machine), 60)
    shutil.rmtree(directory)
