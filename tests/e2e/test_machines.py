# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Machines that are added, killed, rebooted or unsuitable; tests build on one another in this order."""

import json
from pathlib import Path

import pytest

import fleet_state
import host_state
from fleet import Fleet, odp, pod, wait_until
from fleet_state import same

pytestmark = pytest.mark.e2e


def test_four_alterations_are_four_changes(fleet: Fleet, undisturbed: dict) -> None:
    fleet.ssh("north-1", "echo '# altered' >> /etc/containerd/certs.d/quay.io/hosts.toml")
    # The file alone: Cilium's agent sets the running kernel right from time to time.
    fleet.ssh("south-1", "echo 'net.ipv4.ip_forward = 0' > /etc/sysctl.d/90-opendata-platform.conf")
    fleet.ssh("south-1", "systemctl disable -q --now kubelet")
    patch = json.dumps({"data": {"enable-ipv4": "false"}})
    fleet.kubectl("north", "-n", "kube-system", "patch", "configmap", "cilium-config", "--type=merge", "-p", patch)
    planned = fleet.must("site.yml", "--check", "--diff")
    assert planned.changes == 4, planned.output
    run = fleet.must("site.yml", "--diff")
    assert run.changes == 4, run.output
    assert same(undisturbed, fleet)
    assert fleet.must().changes == 0


def test_a_worker_joins_and_pods_of_two_nodes_talk(fleet: Fleet, undisturbed: dict) -> None:
    fleet.add_worker("north-2", "north", 13)
    joined = fleet.must()
    assert joined.changed["south-1"] == 0, joined.tail()
    assert fleet.ready("north", 2)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    pods = [pod("server", "north-2", "serve", ":8080", "hello"), pod("client", "north-1", "sleep")]
    fleet.kubectl("north", "apply", "-f", "-", manifests=[*pods, service])
    try:
        fleet.kubectl("north", "wait", "--for=condition=Ready", "pod/server", "pod/client", "--timeout=90s")
        address = fleet.kubectl("north", "get", "pod", "server", "-o", "jsonpath={.status.podIP}")
        for target in (f"http://{address}:8080/", "http://server.default.svc.cluster.local/"):
            answer = fleet.kubectl("north", "exec", "client", "--", "/testserver", "get", target)
            assert "hello" in answer, target
    finally:
        fleet.kubectl("north", "delete", "pod/server", "pod/client", "service/server", "--wait=true")
    assert fleet.must().changes == 0


def test_a_killed_api_server_comes_back(fleet: Fleet, undisturbed: dict) -> None:
    before = fleet.ssh("north-1", "pgrep -x kube-apiserver").strip()
    fleet.ssh("north-1", f"kill -9 {before}")
    wait_until(
        "another kube-apiserver",
        lambda: fleet.ssh("north-1", "pgrep -x kube-apiserver", check=False).strip() not in ("", before),
        90,
    )
    wait_until("north ready again", lambda: fleet.ready("north", 2), 90)


def test_a_machine_rebooted_from_inside_comes_back(fleet: Fleet, undisturbed: dict) -> None:
    before = fleet.ssh("north-2", "cat /proc/1/stat | cut -d' ' -f22")
    fleet.ssh("north-2", "systemctl reboot", check=False)
    wait_until(
        "another init",
        lambda: fleet.ssh("north-2", "cat /proc/1/stat | cut -d' ' -f22", check=False) not in ("", before),
        60,
    )
    wait_until("north ready again", lambda: fleet.ready("north", 2), 120)


def test_a_killed_machine_is_started_again_by_the_next_run(fleet: Fleet, undisturbed: dict) -> None:
    host_state.kill_machine(fleet.name, "south-1")
    fleet.must()
    wait_until("south ready again", lambda: fleet.ready("south", 1), 120)
    assert fleet.must().changes == 0


def test_one_dead_cluster_does_not_stop_the_other(fleet: Fleet, undisturbed: dict) -> None:
    fleet.ssh("south-1", "systemctl stop sshd ssh ssh.socket", check=False)
    fleet.ssh("north-1", "echo '# altered' >> /etc/containerd/certs.d/quay.io/hosts.toml")
    run = fleet.play()
    assert run.code != 0
    assert run.changed["north-1"] == 1, run.tail()
    assert "south" in run.tail(20)
    host_state.kill_machine(fleet.name, "south-1")
    fleet.must()


def test_machines_that_cannot_be_nodes_are_refused_together(fleet: Fleet, undisturbed: dict, tmp_path: Path) -> None:
    existing = fleet.existing_hosts(tmp_path / "inventories/existing", {"metal-1": 13, "metal-2": 99})
    # A stand-in for another system: the machine is real, what its os-release says is not.
    fleet.ssh("north-2", "printf 'ID=alpine\\nVERSION_ID=3.22\\nPRETTY_NAME=\"Alpine 3.22\"\\n' > /run/alpine")
    fleet.ssh("north-2", "mount --bind /run/alpine /etc/os-release")
    before = fleet_state.snapshot(fleet)
    try:
        run = existing.play()
    finally:
        fleet.ssh("north-2", "umount /etc/os-release")
    assert run.code != 0
    assert run.changes == 0
    where = f"{existing.directory}/hosts.yml"
    assert (
        f"metal-1: node_address: 10.78.0.13 runs Alpine 3.22, which is not supported ({where}). Supported: debian"
        in run.output
    )
    assert "metal-2: node_address: 10.78.0.99 does not answer SSH" in run.output
    assert same(before, fleet)


def test_status_prints_one_object(fleet: Fleet, undisturbed: dict) -> None:
    code, text = odp("status", str(fleet.directory), "--json")
    status = json.loads(text)
    assert code == 0
    assert status["ok"] is True
    assert [cluster["name"] for cluster in status["clusters"]] == ["north", "south"]
    assert {(cluster["nodes"], cluster["nodes_ready"]) for cluster in status["clusters"]} == {(2, 2), (1, 1)}
