# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read the status of a cluster, and wait until it is healthy."""

from __future__ import annotations

import datetime
import time
from typing import Any

from ..kubernetes import health
from ..kubernetes.client import ApiError, Cluster, Unreachable
from ..kubernetes.rollout import pod_details, wait_for_workload
from . import restart

_NODES = "/api/v1/nodes"
_PODS = "/api/v1/namespaces/kube-system/pods"
_ALL_PODS = "/api/v1/pods"
# Workloads of the network: path of the list, name, display name, label of the pods.
_APPS = "/apis/apps/v1/namespaces/kube-system"
_NETWORK = (
    (f"{_APPS}/daemonsets", "cilium", "Cilium", "k8s-app=cilium"),
    (f"{_APPS}/deployments", "cilium-operator", "Cilium's operator", "io.cilium/app=operator"),
)


def settle(
    cluster: Cluster, expected: list[str], seconds: float, cilium: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Return the result of `read` once everything is healthy at the same time, or after the timeout."""
    deadline = time.monotonic() + seconds
    while True:
        for path, name, words, _label in _NETWORK if cilium else ():
            wait_for_workload(cluster, path, name, deadline - time.monotonic(), words)
        cluster.wait(_NODES, lambda items: not health.nodes(items, expected), deadline - time.monotonic())
        # What was ready first may no longer be.
        found = read(cluster, expected, cilium)
        if not found[0]["reason"] or time.monotonic() >= deadline:
            return found


def settle_after_restart(
    since: datetime.datetime, cluster: Cluster, expected: list[str], seconds: float, cilium: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Return the result of `read` once all nodes and pods have started again since a moment, or after the timeout."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            cluster.wait(_NODES, lambda items: not restart.nodes(items, expected, since), deadline - time.monotonic())
            started, pods = cluster.wait(
                _ALL_PODS, lambda items: not restart.pods(items, since), deadline - time.monotonic()
            )
            found = read(cluster, expected, cilium)
            if not started:
                lacking = "; ".join(restart.pods(pods, since))
                return {**found[0], "reason": found[0]["reason"] or lacking}, found[1]
            if not found[0]["reason"] or time.monotonic() >= deadline:
                return found
        except (ApiError, Unreachable):
            # The API server starts with the machine.
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.5)


def read(cluster: Cluster, expected: list[str], cilium: bool = True) -> tuple[dict[str, Any], list[str]]:
    """Return versions, counts and reason of a cluster that answers, and details of failing pods.

    :param cilium: whether Cilium must be its network.
    """
    version = cluster.request("GET", "/version")["gitVersion"]
    nodes = cluster.request("GET", _NODES)["items"]
    reasons, details, seen = health.nodes(nodes, expected), [], ""
    for path, name, words, label in _NETWORK if cilium else ():
        item = cluster.get(f"{path}/{name}")
        seen = seen or health.image_version(item)
        lack = health.workload(item, words)
        if lack:
            pods = cluster.request("GET", _PODS, {"labelSelector": label})["items"] if item else []
            broken = [pod for pod in pods if health.pod(pod)]
            reasons.append(": ".join([lack, *[health.pod(pod) for pod in broken[:1]]]))
            details += [line for pod in broken for line in pod_details(cluster, pod)]
    return {
        "kubernetes": version,
        "cilium": seen,
        "nodes": len({*expected} | {node["metadata"]["name"] for node in nodes}),
        "nodes_ready": sum(not health.node(node) for node in nodes),
        "reason": "; ".join(reasons),
    }, details
