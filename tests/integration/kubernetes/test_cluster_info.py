# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cluster_info: reasons in words, from no kubeconfig to a real API server without nodes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cluster import status as cluster_status
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import mesh_objects
from api_server import ApiServer

pytestmark = pytest.mark.usefixtures("daemon_sets")

Run = Callable[..., dict[str, Any]]


def test_an_empty_cluster(run: Run, server: ApiServer) -> None:
    wanted = {"name": "c", "kubeconfig": str(server.kubeconfig), "nodes": ["c-1"]}
    found = run("cluster_info", **wanted)["cluster"]
    assert found["kubernetes"].startswith("v1.") and (found["nodes"], found["nodes_ready"]) == (1, 0)
    assert found["reason"] == ("node c-1 has not joined; Cilium is not installed; Cilium's operator is not installed")
    failed = run("cluster_info", **wanted, wait=True, wait_timeout=1, fail_when_unhealthy=True)
    assert failed["failed"] and failed["msg"].startswith("c is unhealthy: node c-1 has not joined")
    assert "failed" not in run("cluster_info", check=True, **wanted, fail_when_unhealthy=True)


def test_a_cluster_with_a_network_of_its_own(run: Run, server: ApiServer) -> None:
    wanted = {"name": "c", "kubeconfig": str(server.kubeconfig), "nodes": ["c-1"], "cilium": False}
    found = run("cluster_info", **wanted)["cluster"]
    assert (found["reason"], found["cilium"]) == ("node c-1 has not joined", "")
    waited = run("cluster_info", **wanted, wait=True, wait_timeout=1)["cluster"]
    assert waited["reason"] == "node c-1 has not joined"


def test_what_was_ready_must_still_be_so_at_the_end(server: ApiServer) -> None:
    cluster = Cluster(str(server.kubeconfig))
    apps, made = "/apis/apps/v1/namespaces/kube-system", []

    def make(path: str, item: dict[str, Any]) -> str:
        cluster.request("POST", path, body=item)
        made.append(f"{path}/{item['metadata']['name']}")
        return made[-1]

    def status(path: str, **counts: int) -> None:
        cluster.request(
            "PATCH",
            f"{path}/status",
            body={"status": {"observedGeneration": 1, **counts}},
            content_type="application/merge-patch+json",
        )

    def agents(available: int) -> None:
        status(
            daemon_set, currentNumberScheduled=1, numberMisscheduled=0, desiredNumberScheduled=1,
            numberReady=available, updatedNumberScheduled=1, numberAvailable=available,
        )  # fmt: skip

    def flap() -> None:
        agents(0)
        status(operator, replicas=1, updatedReplicas=1, availableReplicas=1, readyReplicas=1)

    try:
        if not cluster.get("/api/v1/namespaces/kube-system"):
            cluster.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "kube-system"}})
        daemon_set = make(f"{apps}/daemonsets", mesh_objects.daemon_set())
        deployment = {**mesh_objects.daemon_set(), "kind": "Deployment", "metadata": {"name": "cilium-operator"}}
        operator = make(f"{apps}/deployments", deployment)
        make("/api/v1/nodes", mesh_objects.node("c-1"))
        agents(1)
        timers = [threading.Timer(0.5, flap), threading.Timer(1.5, lambda: agents(1))]
        for timer in timers:
            timer.start()
        found, _details = cluster_status.settle(cluster, ["c-1"], 30)
        for timer in timers:
            timer.join()
        assert found["reason"] == ""
    finally:
        for path in made:
            cluster.request("DELETE", path)
