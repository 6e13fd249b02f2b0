# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether servers can leave a cluster without its loss. Pure."""

from __future__ import annotations

import json
from typing import Any


def members(listed: str) -> dict[str, str]:
    """Identifier in hexadecimal digits by name.

    :param listed: output of ``etcdctl member list --write-out=json``; empty if it failed.
    """
    found = json.loads(listed or "{}").get("members", [])
    # A member that has not started yet has no name.
    return {each.get("name") or f"{each['ID']:x}": f"{each['ID']:x}" for each in found}


def healthy(asked: str, listed: str) -> list[str]:
    """Names of the members that answer.

    :param asked: output of ``etcdctl endpoint health --cluster --write-out=json``.
    :param listed: output of ``etcdctl member list --write-out=json``.
    """
    answers = {each["endpoint"] for each in json.loads(asked or "[]") if each["health"]}
    known = json.loads(listed or "{}").get("members", [])
    return [each["name"] for each in known if each.get("name") and answers & set(each.get("clientURLs", []))]


def findings(cluster: dict[str, Any], leaving: list[str], found: dict[str, str], alive: list[str]) -> list[str]:
    """All that keeps nodes from leaving their cluster, one sentence each with the next step.

    :param cluster: its entry of the fleet record.
    :param leaving: the nodes that shall leave.
    :param found: what `members` returned.
    :param alive: what `healthy` returned.
    """
    name, servers = cluster["name"], [each for each in leaving if each in cluster["servers"]]
    staying = [each for each in found if each not in servers]
    if not servers:
        return []
    last = f"{name}: {', '.join(servers)} would be the last to leave. To end the cluster: ./odp down"
    if not set(cluster["servers"]) - set(servers):
        return [last]
    if not found:
        who = f"nobody knows whether {', '.join(servers)} can leave"
        return [f"{name}: etcd did not say who its members are, so {who}. See why: ./odp status"]
    if not staying:
        return [last]
    lines = []
    for few, all_, when in (
        (alive, list(found), "now"),
        ([each for each in alive if each in staying], staying, "afterwards"),
    ):
        if len(few) <= len(all_) // 2:
            step = "Start the others first, or restore a backup."
            lines.append(
                f"{name}: {when} only {len(few)} of {len(all_)} members of etcd would answer, no majority. {step}"
            )
    return lines
