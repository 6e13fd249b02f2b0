# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Say in words what is not well with nodes, workloads and pods; an empty text is well. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]


def condition(item: Object, kind: str) -> Object:
    """Return a condition of an object, empty if it has none of that type."""
    found = (item.get("status") or {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def node(item: Object) -> str:
    """Return why a node is not Ready, in the words of its condition."""
    ready = condition(item, "Ready") or {"status": "", "message": "its kubelet has not reported yet"}
    if ready["status"] == "True":
        return ""
    return f"node {item['metadata']['name']} is not ready: {ready.get('message') or ready.get('reason')}"


def nodes(items: list[Object], expected: Iterable[str]) -> list[str]:
    """Return why nodes are not Ready, and which of the expected ones have not joined."""
    absent = sorted({*expected} - {item["metadata"]["name"] for item in items})
    return [f"node {name} has not joined" for name in absent] + [text for text in map(node, items) if text]


def workload(item: Object | None, name: str) -> str:
    """Return what a DaemonSet or Deployment lacks to be rolled out."""
    if item is None:
        return f"{name} is not installed"
    status = item.get("status") or {}
    if "numberAvailable" in status or "desiredNumberScheduled" in status:
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted = item["spec"].get("replicas", 1)
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if status.get("observedGeneration", 0) < item["metadata"]["generation"]:
        return f"{name}: its last change has not been taken up"
    if updated < wanted:
        return f"{name}: {updated}/{wanted} pods are of the wanted version"
    if not wanted:
        return f"{name}: there is no node for its pods"
    if available < wanted:
        return f"{name}: {available}/{wanted} pods are available"
    return ""


def _containers(status: Object) -> list[Object]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def pod(item: Object) -> str:
    """Return why a pod is not ready: its first container that waits or ended, else its own condition."""
    name, status = item["metadata"]["name"], item.get("status") or {}
    for container in _containers(status):
        state = container.get("state") or {}
        ended, waits = state.get("terminated") or {}, state.get("waiting") or {}
        if ended.get("exitCode"):
            why = f"ended with {ended['exitCode']} ({ended.get('message') or ended.get('reason', 'no reason given')})"
        elif waits and waits.get("reason") not in ("PodInitializing", "ContainerCreating"):
            why = f"{waits.get('reason')} ({waits.get('message', 'no message')})"
        else:
            continue
        return f"pod {name}, container {container['name']}: {' '.join(why.split())}"
    for each in status.get("conditions") or []:
        if each["status"] != "True" and each["type"] in ("PodScheduled", "Initialized", "Ready"):
            return f"pod {name}: {each.get('message') or each.get('reason') or status.get('phase')}"
    return ""


def broken_container(item: Object) -> tuple[str, bool] | None:
    """Return the container of a pod whose log may tell why, and whether it is its previous run's; None if none ran."""
    status = item.get("status") or {}
    for container in _containers(status):
        state, restarts = container.get("state") or {}, container.get("restartCount", 0)
        if (state.get("terminated") or {}).get("exitCode") or (not container.get("ready") and "running" in state):
            return container["name"], False
        if "waiting" in state and restarts:
            return container["name"], True
    return None


def image_version(item: Object | None) -> str:
    """Return the version in the tag of a workload's first image: 1.20.2 of ``v1.20.2@sha256:…``; empty if none."""
    if item is None:
        return ""
    image = item["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[0]
    return str(image.rpartition("/")[2].partition(":")[2].removeprefix("v"))
