# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether a cluster can go to another version, and which of its nodes have yet to. Pure."""

from __future__ import annotations

import json
from typing import Any

# An annotation of nodes that an upgrade drained, so that the next run lets them take pods again.
MARK = "opendata.platform/drained"


def nodes(listed: str) -> dict[str, dict[str, Any]]:
    """What the API says of each node.

    :param listed: output of ``kubectl get nodes -o json``; empty in check mode.
    :returns: by name the version that the kubelet reports ("v1.36.3"), ready, and whether an upgrade drained it.
    """
    found = {}
    for item in json.loads(listed or "{}").get("items", []):
        conditions = {each["type"]: each["status"] for each in item["status"].get("conditions", [])}
        found[item["metadata"]["name"]] = {
            "version": item["status"]["nodeInfo"]["kubeletVersion"],
            "ready": conditions.get("Ready") == "True",
            "drained": MARK in item["metadata"].get("annotations", {}),
        }
    return found


def due(order: list[str], found: dict[str, dict[str, Any]], wanted: str) -> list[str]:
    """The nodes that an upgrade must touch, in ``order``: of another version, or left drained by a killed run."""
    return [name for name in order if name in found and (found[name]["version"] != wanted or found[name]["drained"])]


def findings(cluster: dict[str, Any], found: dict[str, dict[str, Any]], asked: list[str]) -> list[str]:
    """All that keeps a cluster from its upgrade, one sentence each with the next step.

    :param cluster: its entry of the fleet record.
    :param found: what `nodes` returned.
    :param asked: hosts of the play that answered so far.
    """
    name, wanted = cluster["name"], cluster["kubernetes"]
    silent = [node for node in cluster["nodes"] if node not in asked]
    if silent:
        return [f"{name}: {', '.join(silent)} did not answer. An upgrade needs every node: run again when all do."]
    if not found:
        return [f"{name}: none of its servers runs, so there is nothing to upgrade. Make it first: ./odp up"]
    lines = []
    for node in cluster["nodes"]:
        if node not in found:
            step = "Set cluster_kubernetes back and join it, or take it out of the inventory."
            lines.append(f"{name}: {node} is no node of the cluster. {step}")
        elif not found[node]["ready"]:
            lines.append(f"{name}: {node} is not Ready. Mend it first: ./odp status says more.")
    lowest = min((entry["version"] for entry in found.values()), key=number)
    highest = max((entry["version"] for entry in found.values()), key=number)
    if number(highest) > number(wanted):
        step = "Kubernetes cannot go back: set cluster_kubernetes to that, or restore a backup."
        lines.append(f"{name}: runs {highest}, which is newer than cluster_kubernetes {wanted}. {step}")
    if number(wanted)[1] > number(lowest)[1] + 1:
        step = f"Go one minor at a time: set cluster_kubernetes to a v1.{number(lowest)[1] + 1} first."
        lines.append(f"{name}: runs {lowest}, and cluster_kubernetes {wanted} is more than one minor on. {step}")
    return lines


def number(version: str) -> tuple[int, ...]:
    """(1, 36, 3) of "v1.36.3" or "v1.36.3+k3s1", to compare."""
    return tuple(int(part) for part in version.removeprefix("v").partition("+")[0].partition("-")[0].split("."))
