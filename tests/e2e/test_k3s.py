# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A cluster of three servers and an agent on machines of this host, with the stand-in for k3s: no container runs."""

import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

import stand_in_k3s
from fleet import Fleet, Run, reach

OLD, NEW = "v1.36.3+k3s1", "v1.36.4+k3s1"
SERVERS, AGENT = ["edge-1", "edge-2", "edge-3"], "edge-4"
STAGES = ("playbooks/preflight.yml", "playbooks/machines.yml", "playbooks/clusters.yml")
SEED = random.SystemRandom().randrange(10**6)
pytestmark = pytest.mark.e2e


class K3sFleet(Fleet):
    """A fleet with one cluster of k3s, which needs nothing of the artifact store but the machines' root."""

    def __init__(self, directory: Path, root: Path) -> None:
        super().__init__(directory, "10.79.0")
        self.inventory["clusters"]["hosts"] = {
            "edge": {"cluster_pod_cidr": "10.5.0.0/16", "cluster_service_cidr": "10.105.0.0/16"}
        }
        self.inventory["clusters"]["vars"]["cluster_provider"] = "k3s"
        self.inventory["nodes"]["hosts"] = {
            name: {"node_cluster": "edge", "node_role": "control_plane", "node_address": f"10.79.0.{10 + number}"}
            for number, name in enumerate(SERVERS, 1)
        }
        self.add_worker(AGENT, "edge", 14)
        facts = {"artifacts": {"binaries": {}, "images": {}, "files": {"machine_root": {"path": str(root)}}}}
        facts["mirror"] = {"registry": "", "files": "", "push": ""}
        (directory.parent / "facts.json").write_text(json.dumps(facts))
        self.want(OLD)

    def want(self, version: str, **more: Any) -> None:
        """The version that the inventory wants from now on."""
        program = self.directory.parent / f"k3s-{version}"
        settings = {
            "cluster_k3s_binary": str(program),
            "cluster_k3s_sha256": stand_in_k3s.pack(program, version),
            "cluster_kubernetes": version,
            "machine_nspawn_memory_gib": 1,
            "machine_nspawn_disk_gib": 1,
        }
        path = self.directory / "group_vars/all.yml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings | more))

    def command(self, playbook: str = STAGES[0], *arguments: str) -> list[str]:
        program, first, *rest = super().command(playbook, "-e", f"@{self.directory.parent / 'facts.json'}", *arguments)
        return [program, first, *(STAGES[1:] if playbook == STAGES[0] else ()), *rest]

    def make(self, *arguments: str) -> Run:
        return self.play(STAGES[0], *arguments)

    def day2(self, verb: str, **variables: object) -> Run:
        return self.play("tests/e2e/k3s_day2.yml", "-e", json.dumps({"verb": verb, **variables}))

    @property
    def backup(self) -> Path:
        return next((self.state / "backups/edge").iterdir())

    def nodes(self) -> dict[str, str]:
        """What each kubelet reports, asked with the kubeconfig on the controller."""
        api = client.CoreV1Api(config.new_client_from_config(str(self.state / "kubeconfigs/edge"), "edge"))
        listed = json.loads(api.list_node(_preload_content=False).data)
        return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in listed["items"]}

    def kill_at(self, playbook: str, stage: str, task: int, *arguments: str) -> None:
        """SIGKILL a run and its workers at the nth task of a stage."""
        process = self._start(playbook, *arguments)
        victim, seen = reach(process, rf".* \| cluster_k3s \| {stage}", task)
        assert victim, seen[-3000:]
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[K3sFleet]:
    roots = sorted((Path.home() / ".cache/odp/trees").glob("machine_root-*/rootfs"))
    if not roots:
        pytest.skip("there is no root for machines in the artifact store: ./odp up makes it")
    made = K3sFleet(tmp_path_factory.mktemp("k3s-fleet") / "k3s", roots[-1])
    try:
        yield made
    finally:
        ended = made.down()
    assert ended.code == 0, ended.tail()


def of_nodes(run: Run) -> int:
    """Changes on the machines."""
    return sum(run.changed[name] for name in [*SERVERS, AGENT])


def must(run: Run) -> Run:
    assert run.code == 0, run.tail(80)
    return run


def refused(run: Run, *words: str) -> None:
    assert run.code != 0, run.tail()
    said = " ".join(run.output.split())
    assert all(word in said for word in words), run.tail()


def test_check_mode_before_anything_exists(edge: K3sFleet) -> None:
    run = must(edge.make("--check", "--diff"))
    assert all(run.changed[name] for name in [*SERVERS, AGENT])
    assert "create the cluster" in run.output and "tls-san" in run.output
    assert not (edge.state / "clusters").exists()


def test_a_run_recovers_from_a_kill_and_a_wrong_token(edge: K3sFleet) -> None:
    edge.kill_at(STAGES[0], "(Init|Join)", random.Random(SEED).randint(2, 5))
    edge.inventory["nodes"]["hosts"][AGENT]["cluster_k3s_token"] = "wrong" * 9
    edge.write()
    refused(edge.make(), f"{AGENT} cannot join:", "refuses the token (401)")
    assert sorted(edge.nodes()) == SERVERS, SEED
    del edge.inventory["nodes"]["hosts"][AGENT]["cluster_k3s_token"]
    edge.write()
    must(edge.make())
    assert edge.nodes() == dict.fromkeys([*SERVERS, AGENT], OLD)
    for node in [*SERVERS, AGENT]:
        assert "k3s stand-in" in edge.ssh(node, "/usr/local/bin/k3s --version")
        modes = edge.ssh(
            node, "stat -c %a /etc/rancher/k3s/token /etc/rancher/k3s/config.yaml.d/10-cluster.yaml"
        ).split()
        assert modes == ["600", "600"]
    token = edge.state / "clusters/edge/token"
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing_and_repairs_one_file(edge: K3sFleet) -> None:
    token = (edge.state / "clusters/edge/token").read_text()
    second = must(edge.make("--diff"))
    assert second.changes == 0, second.tail()
    edge.ssh("edge-2", "echo 'node-label: [a=b]' >> /etc/rancher/k3s/config.yaml; systemctl stop k3s")
    run = must(edge.make("--diff"))
    assert run.changed["edge-2"] == 2 and run.changes == 2, run.tail()
    assert token not in second.output + run.output
    renewed = must(edge.play("playbooks/renew.yml"))
    assert renewed.changes == 0 and "so nothing is renewed here" in " ".join(renewed.output.split())


def test_data_of_another_cluster_are_refused(edge: K3sFleet) -> None:
    edge.ssh("edge-3", "cd /var/lib/rancher/k3s/server/tls && cp server-ca.crt kept && echo >> server-ca.crt")
    refused(edge.make(), "edge-3: holds data of a cluster other than that of edge-1")
    edge.ssh("edge-3", "cd /var/lib/rancher/k3s/server/tls && mv kept server-ca.crt")


def test_all_machines_at_once_come_back(edge: K3sFleet) -> None:
    for node in SERVERS:
        edge.ssh(node, "systemctl stop k3s")
    must(edge.make())
    assert must(edge.make()).changes == 0


def test_upgrade(edge: K3sFleet) -> None:
    edge.want(NEW)
    refused(edge.make(), f"edge-1: cluster_kubernetes: runs k3s {OLD}, but the inventory wants {NEW}.")
    edge.ssh("edge-1", "k3s kubectl annotate node edge-2 stand-in/budget=1")
    edge.want(NEW, cluster_k3s_drain_timeout=2)
    refused(edge.day2("upgrade"), "edge-2 could not be drained within 2 s and was uncordoned.")
    assert edge.nodes() == {**dict.fromkeys([*SERVERS, AGENT], OLD), "edge-1": NEW, AGENT: OLD}
    edge.ssh("edge-1", "k3s kubectl annotate node edge-2 stand-in/budget-")
    edge.kill_at("tests/e2e/k3s_day2.yml", "Upgrade", 8, "-e", "verb=upgrade")
    must(edge.day2("upgrade"))
    assert edge.nodes() == dict.fromkeys([*SERVERS, AGENT], NEW)
    listed = json.loads(edge.ssh("edge-1", "k3s kubectl get nodes --output=json"))
    assert not [
        node
        for node in listed["items"]
        if node["spec"] or "opendata.platform/drained" in node["metadata"]["annotations"]
    ]
    assert edge.ssh("edge-2", "ls /var/lib/rancher/k3s/server/db/snapshots").startswith("before-upgrade-edge-2-")
    assert of_nodes(must(edge.day2("upgrade"))) == 0
    assert must(edge.make()).changes == 0


def test_the_first_server_is_replaced(edge: K3sFleet) -> None:
    must(edge.day2("remove", remove="edge-1"))
    assert edge.ssh("edge-2", "k3s kubectl get nodes --output=json").count('"edge-1"') == 0
    assert (
        edge.ssh("edge-1", "ls -d /var/lib/rancher/k3s /etc/rancher/k3s /usr/local/bin/k3s 2>&1 || true").count(
            "No such"
        )
        == 3
    )
    edge.ssh("edge-3", "systemctl stop k3s")
    refused(edge.day2("remove", remove="edge-2"), "does not report its etcd members")
    edge.ssh("edge-3", "systemctl start k3s")
    must(edge.make())
    assert edge.nodes() == dict.fromkeys([*SERVERS, AGENT], NEW)
    authorities = {edge.ssh(node, "sha256sum /var/lib/rancher/k3s/server/tls/server-ca.crt") for node in SERVERS}
    assert len(authorities) == 1
    assert must(edge.make()).changes == 0


def test_backup_and_restore(edge: K3sFleet) -> None:
    edge.ssh("edge-2", "k3s kubectl annotate node edge-4 marker=before")
    must(edge.day2("backup"))
    assert sorted(path.name for path in edge.backup.iterdir()) == ["backup.yml", "snapshot.db", "token"]
    assert edge.backup.name.startswith("edge-edge-1-") and edge.backup.stat().st_mode & 0o777 == 0o700
    edge.ssh("edge-2", "k3s kubectl annotate node edge-4 marker=after")
    refused(edge.day2("restore", restore_from=str(edge.backup)), "edge-4; the restore would replace it")
    must(edge.day2("restore", restore_from=str(edge.backup), restore_confirm="edge"))
    for node in SERVERS:
        assert '"marker": "before"' in edge.ssh(node, "k3s kubectl get node edge-4 --output=json")
    assert edge.nodes() == dict.fromkeys([*SERVERS, AGENT], NEW)
    assert must(edge.make()).changes == 0


def test_absent_and_a_restore_onto_new_machines(edge: K3sFleet) -> None:
    edge.ssh(AGENT, "mkdir -p /run/k3s/x /srv/kept && mount -t tmpfs x /run/k3s/x && touch /srv/kept/file")
    must(edge.day2("absent"))
    for node in [*SERVERS, AGENT]:
        paths = "/var/lib/rancher/k3s /etc/rancher/k3s /run/k3s /usr/local/bin/k3s /etc/systemd/system/k3s*"
        assert edge.ssh(node, f"ls -d {paths} 2>/dev/null || true") == ""
        edge.ssh(node, "rm -r /etc/rancher")
    assert "/srv/kept/file" in edge.ssh(AGENT, "ls /srv/kept/file")
    assert of_nodes(must(edge.day2("absent"))) == 0
    (edge.state / "clusters/edge/token").unlink()
    must(edge.day2("restore", restore_from=str(edge.backup)))
    assert edge.nodes() == dict.fromkeys([*SERVERS, AGENT], NEW)
    assert must(edge.make()).changes == 0
