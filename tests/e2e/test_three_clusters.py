# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Three meshed clusters on seven machines, one of them with three servers: what is done to clusters that run."""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import host_state
from fleet import Fleet, run, wait_until

pytestmark = pytest.mark.e2e
OLD, NEW = "v1.35.4", "v1.36.3"
SERVERS = ["ha-1", "ha-2", "ha-3"]


@pytest.fixture(scope="module")
def trio(host_before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The fleet, made once; whatever happened, it is taken down at the end."""
    made = Fleet(tmp_path_factory.mktemp("inventories") / "trio", "10.76.0")
    made.lay_out(
        {"ha": {"cluster_virtual_address": "10.76.0.10", "cluster_kubernetes": OLD}, "one": {}, "two": {}},
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


def all_are(fleet: Fleet, cluster: str, names: list[str], version: str) -> bool:
    return nodes(fleet, cluster) == dict.fromkeys(names, (version, True, True))


def members(fleet: Fleet, server: str) -> list[str]:
    """Names of etcd's members, as a server sees them."""
    keys = "--cacert=ca.crt --cert=healthcheck-client.crt --key=healthcheck-client.key"
    command = f"cd /etc/kubernetes/pki/etcd && etcdctl --endpoints=https://127.0.0.1:2379 {keys} member list -w json"
    return sorted(each["name"] for each in json.loads(fleet.ssh(server, command))["members"])


def test_all_are_made_and_a_second_run_changes_nothing(trio: Fleet) -> None:
    assert all_are(trio, "ha", SERVERS, OLD)
    assert all_are(trio, "one", ["one-1"], NEW)
    assert all_are(trio, "two", ["two-1", "two-2", "two-3"], NEW)
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


@pytest.fixture
def load(trio: Fleet) -> Iterator[Fleet]:
    """Three servers behind a Service and on each node a client that makes ten requests a second."""
    image = {"name": "main", "image": "ghcr.io/opendata/testserver:0.1.0"}
    probe = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    # A pod that ends is known to all nodes before it stops to answer.
    last = {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    serve = {
        "containers": [{**image, "args": ["serve", ":8080", "hello"], **probe, **last}],
        "topologySpreadConstraints": [{**spread, "labelSelector": {"matchLabels": {"app": "server"}}}],
    }
    poll = {"containers": [{**image, "args": ["poll", "http://server.load.svc.cluster.local/", "100ms"]}]}

    def workload(kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": name}}, "spec": spec}
        selector = {"matchLabels": {"app": name}}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "load"},
            "spec": {"selector": selector, "template": template, **more},
        }

    budget = {"selector": {"matchLabels": {"app": "server"}}, "minAvailable": 2}
    manifests = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "load"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "server", "namespace": "load"},
            "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "server", "namespace": "load"},
            "spec": budget,
        },
        workload("Deployment", "server", serve, replicas=3),
        workload("DaemonSet", "client", poll),
    ]
    trio.kubectl("ha", "apply", "-f", "-", manifests=manifests)
    for each in ("deployment/server", "daemonset/client"):
        trio.kubectl("ha", "-n", "load", "rollout", "status", each, "--timeout=120s")
    yield trio
    trio.kubectl("ha", "delete", "namespace", "load", "--wait=true", check=False)


def requests(fleet: Fleet) -> tuple[int, list[str]]:
    """How many requests the clients made, and those that failed."""
    made, failed = 0, []
    for name in fleet.kubectl("ha", "-n", "load", "get", "pods", "-l", "app=client", "-o", "name").split():
        log = fleet.kubectl("ha", "-n", "load", "logs", name).splitlines()
        made += max([int(line.split()[1]) for line in log if line.startswith("made ")], default=0)
        failed += [f"{name} {line}" for line in log if line.startswith("failed ")]
    return made, failed


@pytest.mark.timeout(1500)
def test_an_upgrade_under_load_that_was_killed_in_the_middle(load: Fleet) -> None:
    set_version(load, NEW)
    site = load.play()
    assert site.code != 0
    words = f"ha-1: runs Kubernetes {OLD}, and cluster_kubernetes of ha is {NEW}. To upgrade it: ./odp upgrade trio"
    assert words in site.output, site.tail()
    assert all_are(load, "ha", SERVERS, OLD)
    started = time.monotonic()
    process = load._start("playbooks/upgrade.yml")
    victim, seen = reach_task(process, "Upgrade | Drain the node")
    assert victim, seen[-3000:]
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    done = load.must("playbooks/upgrade.yml", timeout=900)
    assert all_are(load, "ha", SERVERS, NEW), done.tail()
    made, failed = requests(load)
    print(f"upgrade of three servers, killed once: {time.monotonic() - started:.0f} s, {len(failed)} of {made} failed")
    assert made > 1000, made
    # As many as one endpoint's clients make while its drain lasts, and none with a server that ends well.
    assert len(failed) <= 30, failed
    assert load.must("playbooks/upgrade.yml").changes == 0
    assert load.must().changes == 0


def set_version(fleet: Fleet, version: str) -> Fleet:
    fleet.inventory["clusters"]["hosts"]["ha"]["cluster_kubernetes"] = version
    fleet.write()
    return fleet


def reach_task(process: Any, words: str) -> tuple[str, str]:
    """Read what a run prints up to the task with these words; that line ('' if the run ended), and all lines."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return line.strip(), "".join(seen)
    return "", "".join(seen)


def test_the_first_server_is_replaced(trio: Fleet) -> None:
    refused = trio.play("playbooks/remove.yml", "-e", "remove=one-1")
    assert refused.code != 0
    assert "one: removing one-1 would leave no control plane." in refused.output, refused.tail()
    gone = trio.must("playbooks/remove.yml", "-e", "remove=ha-1")
    assert all_are(trio, "ha", SERVERS[1:], NEW), gone.tail()
    assert members(trio, "ha-2") == SERVERS[1:]
    assert trio.ssh("ha-1", "ls -d /etc/kubernetes /var/lib/etcd/member /usr/bin/kubelet", check=False) == ""
    back = trio.must()
    print(f"one server more: {back.seconds:.0f} s")
    assert all_are(trio, "ha", SERVERS, NEW), back.tail()
    assert members(trio, "ha-1") == SERVERS
    assert trio.must().changes == 0


def test_certificates_are_renewed(trio: Fleet) -> None:
    before = trio.ssh("ha-2", "sha256sum /etc/kubernetes/pki/apiserver.crt")
    assert trio.must("playbooks/renew.yml").changes == 0
    trio.must("playbooks/renew.yml", "-e", "renew_before_days=400")
    assert trio.ssh("ha-2", "sha256sum /etc/kubernetes/pki/apiserver.crt") != before
    wait_until("ha is ready with new certificates", lambda: all_are(trio, "ha", SERVERS, NEW), 90)
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
    assert all_are(trio, "ha", SERVERS, NEW), restored.tail()
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
