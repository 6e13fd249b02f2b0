# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Wait until workloads are rolled out, and read why their pods are not ready."""

from __future__ import annotations

import time
from typing import Any

from . import health, manifests
from .client import Cluster
from .manifests import Manifest

_PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}
_LAST_EVENTS = 3
_LAST_LINES = 8


def wait_for_workload(cluster: Cluster, path: str, name: str, seconds: float, words: str = "") -> str:
    """Watch a Deployment or DaemonSet until it is rolled out; return what is missing when the time is over.

    path: of the list of its kind in its namespace. words: its name for people, if that is another.
    """

    def missing(items: list[Manifest]) -> str:
        return health.workload(items[0] if items else None, words or name)

    query = {"fieldSelector": f"metadata.name={name}"}
    _done, items = cluster.wait(path, lambda items: not missing(items), seconds, **query)
    return missing(items)


def settle(cluster: Cluster, wanted: list[Manifest], seconds: float) -> list[str]:
    """Wait until the Deployments and DaemonSets of the manifests are rolled out; return why some are not."""
    deadline = time.monotonic() + seconds
    lines: list[str] = []
    for each in wanted:
        if each["kind"] not in _PLURALS or not each["apiVersion"].startswith("apps/"):
            continue
        namespace, name = each["metadata"].get("namespace", "default"), each["metadata"]["name"]
        path = f"/apis/{each['apiVersion']}/namespaces/{namespace}/{_PLURALS[each['kind']]}"
        left = max(0.0, deadline - time.monotonic())
        if lack := wait_for_workload(cluster, path, name, left, manifests.name_of(each)):
            labels = ",".join(f"{key}={value}" for key, value in each["spec"]["selector"]["matchLabels"].items())
            pods = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels})["items"]
            lines += [lack, *(line for pod in pods if health.pod(pod) for line in pod_details(cluster, pod))]
    return lines


def pod_details(cluster: Cluster, pod: dict[str, Any]) -> list[str]:
    """Return the pod's reason, its last events and the last lines of the log of its broken container."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    lines = [health.pod(pod), *last_events(cluster, namespace, f"involvedObject.name={name}")]
    broken = health.broken_container(pod)
    if broken:
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        text = cluster.logs(path, container=broken[0], previous=str(broken[1]).lower(), tailLines=_LAST_LINES)
        lines += [f"log of {broken[0]}: {line}" for line in text.splitlines()]
    return lines


def last_events(cluster: Cluster, namespace: str, selector: str) -> list[str]:
    """Return the last events of a namespace that the field selector selects, in words."""
    events = cluster.request("GET", f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": selector})["items"]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [f"event: {event.get('reason', '')}: {event.get('message', '')}" for event in events[-_LAST_EVENTS:]]
