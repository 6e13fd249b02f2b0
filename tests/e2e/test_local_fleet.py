# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The local fleet from nothing on real machines and clusters; tests build on one another in this order."""

import json
import time
from pathlib import Path

import pytest

import fleet_state
import host_state
from fleet import Fleet, odp, pod, wait_until
from fleet_state import same

pytestmark = pytest.mark.e2e


def ready(fleet: Fleet, cluster: str, count: int) -> bool:
    lines = fleet.kubectl(cluster, "get", "nodes", "--no-headers", check=False).splitlines()
    return len([line for line in lines if line.split()[1] == "Ready"]) == count


def test_check_mode_on_a_virgin_fleet_plans_and_makes_nothing(fleet: Fleet, host_before: dict) -> None:
    run = fleet.must("site.yml", "--check", "--diff")
    assert run.changes > 0, run.tail()
    for planned in ("/etc/containerd/config.toml", "/etc/systemd/system/kubelet.service"):
        assert planned in run.output, f"{planned} is not in the plan:\n{run.tail()}"
    assert not (fleet.state / "kubeconfigs").exists()
    assert host_state.left_behind(host_before) == []


def test_up_makes_clusters_without_kube_proxy(fleet: Fleet, undisturbed: dict) -> None:
    for cluster in ("north", "south"):
        assert ready(fleet, cluster, 1)
        names = [key for key in undisturbed[f"objects {cluster}"] if key.startswith("DaemonSet/")]
        assert names == ["DaemonSet/kube-system/cilium"]
        mode = Path(fleet.state / "kubeconfigs" / cluster).stat().st_mode & 0o777
        assert mode == 0o600
        assert fleet.kubectl(cluster, "config", "current-context").strip() == cluster


def test_secrets_are_encrypted_at_rest(fleet: Fleet, undisturbed: dict) -> None:
    fleet.kubectl("north", "create", "configmap", "probe", "--from-literal=word=readablemarker")
    fleet.kubectl("north", "create", "secret", "generic", "probe", "--from-literal=word=encryptedmarker")
    try:
        # grep ends with 1 where it finds nothing, with 2 where it could not read.
        search = "grep -rl {} /var/lib/etcd || [ $? -eq 1 ]"
        readable, encrypted = (
            fleet.ssh("north-1", search.format(f"{word}marker")) for word in ("readable", "encrypted")
        )
    finally:
        fleet.kubectl("north", "delete", "configmap/probe", "secret/probe")
    assert readable != "", "this search would not find a Secret that is not encrypted either"
    assert encrypted == ""


def test_second_run_changes_nothing_and_writes_nothing(fleet: Fleet, undisturbed: dict) -> None:
    since = time.time()
    run = fleet.must()
    assert run.changes == 0, run.output
    assert set(run.changed) == {"north", "south", "north-1", "south-1"}
    assert fleet.mutating_requests("north-1", since) == []
    assert fleet.mutating_requests("south-1", since) == []


def test_audit_log_shows_mutating_requests(fleet: Fleet, undisturbed: dict) -> None:
    since = time.time()
    fleet.kubectl("north", "create", "configmap", "probe")
    fleet.kubectl("north", "delete", "configmap", "probe")
    assert len(fleet.mutating_requests("north-1", since - 1)) >= 2


def test_check_mode_on_a_finished_fleet_reports_no_change(fleet: Fleet, undisturbed: dict) -> None:
    run = fleet.must("site.yml", "--check", "--diff")
    assert run.changes == 0, run.output


def test_four_alterations_are_four_changes(fleet: Fleet, undisturbed: dict) -> None:
    fleet.ssh("north-1", "echo '# altered' >> /etc/containerd/certs.d/quay.io/hosts.toml")
    fleet.ssh("south-1", "sysctl -qw net.ipv4.ip_forward=0")
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
    assert ready(fleet, "north", 2)
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
    wait_until("north ready again", lambda: ready(fleet, "north", 2), 90)


def test_a_machine_rebooted_from_inside_comes_back(fleet: Fleet, undisturbed: dict) -> None:
    before = fleet.ssh("north-2", "cat /proc/1/stat | cut -d' ' -f22")
    fleet.ssh("north-2", "systemctl reboot", check=False)
    wait_until(
        "another init",
        lambda: fleet.ssh("north-2", "cat /proc/1/stat | cut -d' ' -f22", check=False) not in ("", before),
        60,
    )
    wait_until("north ready again", lambda: ready(fleet, "north", 2), 120)


def test_a_killed_machine_is_started_again_by_the_next_run(fleet: Fleet, undisturbed: dict) -> None:
    host_state.kill_machine(fleet.name, "south-1")
    fleet.must()
    wait_until("south ready again", lambda: ready(fleet, "south", 1), 120)
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
