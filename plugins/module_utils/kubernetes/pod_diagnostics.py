# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read what tells why a pod fails. Private: it may change without notice."""

from __future__ import annotations

from typing import Any

from . import health
from .client import Cluster

_LAST_EVENTS = 3
_LAST_LINES = 8


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
