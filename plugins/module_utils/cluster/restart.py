# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Say what of a cluster has not started again since its machines stopped: until then its API shows the past. Pure."""

from __future__ import annotations

import datetime
from typing import Any

from ..kubernetes import health

Object = dict[str, Any]


def moment(text: str) -> datetime.datetime:
    """Parse a moment as the API writes it.

    :raises ValueError: if it is none, or has no time zone.
    """
    parsed = datetime.datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no time zone, append Z for UTC")
    return parsed


def nodes(items: list[Object], expected: list[str], since: datetime.datetime) -> list[str]:
    """Return which nodes are not Ready, or have not reported since a moment."""
    found = health.nodes(items, expected)
    for item in items:
        heartbeat = health.condition(item, "Ready").get("lastHeartbeatTime")
        if not heartbeat or moment(heartbeat) < since:
            found.append(f"the kubelet of node {item['metadata']['name']} has not reported since it stopped")
    return found


def pods(items: list[Object], since: datetime.datetime) -> list[str]:
    """Return which pods that should run are not ready, or still have the containers of before a moment."""
    return [text for item in items if (text := _pod(item, since))]


def _pod(item: Object, since: datetime.datetime) -> str:
    status = item.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return ""
    for container in status.get("containerStatuses") or []:
        started = (container.get("state") or {}).get("running", {}).get("startedAt")
        if started and moment(started) < since:
            return f"pod {item['metadata']['name']}, container {container['name']}: has not started again"
    return health.pod(item)
