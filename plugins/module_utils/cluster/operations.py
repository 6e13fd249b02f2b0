# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether a cluster can be upgraded, and whether servers can leave its etcd. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ..findings import Finding

# Annotation of nodes that an upgrade or a removal drained, so that a later run uncordons them after a kill.
DRAINED = "opendata.platform/drained"
Record = dict[str, Any]


def nodes(listed: str) -> dict[str, Record]:
    """The state of each node.

    :param listed: output of ``kubectl get nodes --output=json``; empty in check mode.
    :returns: by name the version of the kubelet ("v1.36.3"), ready, schedulable, and drained (by us).
    """
    found = {}
    for item in json.loads(listed or "{}").get("items", []):
        status = item.get("status", {})
        conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        found[item["metadata"]["name"]] = {
            "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
            "ready": conditions.get("Ready") == "True",
            "schedulable": not item.get("spec", {}).get("unschedulable", False),
            "drained": DRAINED in item["metadata"].get("annotations", {}),
        }
    return found


def number(version: str) -> tuple[int, ...]:
    """(1, 36, 3) of "v1.36.3", (1, 36, 3, 1) of "v1.36.3+k3s1", to compare versions; empty for no version."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0].replace("+k3s", ".")))


def upgrade_due(order: list[str], found: dict[str, Record], wanted: str) -> list[str]:
    """The nodes to upgrade, in ``order``: those of another version, and those that a killed run left drained."""
    return [name for name in order if name in found and (found[name]["version"] != wanted or found[name]["drained"])]


def upgrade_findings(cluster: Record, found: dict[str, Record], reached: list[str]) -> list[Finding]:
    """What prevents the upgrade of a cluster.

    :param cluster: its entry in the fleet record.
    :param found: the result of `nodes`.
    :param reached: hosts of the play that have answered so far.
    """
    wanted = cluster["kubernetes"]

    def error(problem: str, step: str, variable: str = "") -> Finding:
        return Finding("error", cluster["name"], variable, problem, step)

    silent = [node for node in cluster["nodes"] if node not in reached]
    if silent:
        return [error(f"{', '.join(silent)} did not answer", "An upgrade needs every node: run again when all answer.")]
    if not found:
        return [
            error(
                "none of its control plane nodes is running, so there is nothing to upgrade", "Run: ./odp up INVENTORY"
            )
        ]
    lines = []
    for node in cluster["nodes"]:
        if node not in found:
            step = "Set cluster_kubernetes back and join it, or remove it from the inventory."
            lines.append(error(f"{node} is not a node of the cluster", step))
        elif not found[node]["ready"]:
            lines.append(error(f"{node} is not Ready", "Fix it first; for details: ./odp status INVENTORY"))
    lowest = min((entry["version"] for entry in found.values()), key=number)
    highest = max((entry["version"] for entry in found.values()), key=number)
    if number(highest) > number(wanted):
        step = f"Kubernetes cannot be downgraded: set cluster_kubernetes to {highest}, or restore a backup."
        lines.append(error(f"runs {highest}, which is newer than {wanted}", step, "cluster_kubernetes"))
    if number(wanted)[1] > number(lowest)[1] + 1:
        step = f"Upgrade one minor version at a time: set cluster_kubernetes to a v1.{number(lowest)[1] + 1} first."
        lines.append(error(f"runs {lowest}, more than one minor version before {wanted}", step, "cluster_kubernetes"))
    return lines


def etcd_members(listed: str) -> dict[str, str]:
    """ID in hexadecimal digits by name of the member.

    :param listed: output of ``etcdctl member list --write-out=json``; empty if it failed.
    """
    found = json.loads(listed or "{}").get("members", [])
    # A member that has not started yet has no name.
    return {each.get("name") or f"{each['ID']:x}": f"{each['ID']:x}" for each in found}


def healthy_members(health: str, listed: str) -> list[str]:
    """Names of the members that answer.

    :param health: output of ``etcdctl endpoint health --cluster --write-out=json``.
    :param listed: output of ``etcdctl member list --write-out=json``.
    """
    answers = {each["endpoint"] for each in json.loads(health or "[]") if each["health"]}
    known = json.loads(listed or "{}").get("members", [])
    return [each["name"] for each in known if each.get("name") and answers & set(each.get("clientURLs", []))]


def removal_findings(cluster: Record, leaving: list[str], found: dict[str, str], alive: list[str]) -> list[Finding]:
    """What prevents nodes from leaving their cluster.

    :param cluster: its entry in the fleet record.
    :param leaving: the nodes to remove.
    :param found: the result of `etcd_members`.
    :param alive: the result of `healthy_members`.
    """

    def error(problem: str, step: str) -> Finding:
        return Finding("error", cluster["name"], "", problem, step)

    servers = [each for each in leaving if each in cluster["control_planes"]]
    names, staying = ", ".join(servers), [each for each in found if each not in servers]
    if not servers:
        return []
    if not set(cluster["control_planes"]) - set(servers) or (found and not staying):
        return [
            error(
                f"removing {names} would leave no control plane", "To tear the whole fleet down: ./odp down INVENTORY"
            )
        ]
    if not found:
        problem = f"etcd does not list its members, so it is unknown whether {names} can leave"
        return [error(problem, "For the cause: ./odp status INVENTORY")]
    counts = (("now", alive, list(found)), ("afterwards", [each for each in alive if each in staying], staying))
    return [
        error(
            f"{when} only {len(few)} of {len(every)} etcd members would answer, which is no majority",
            "Start the others first, or restore a backup.",
        )
        for when, few, every in counts
        if len(few) <= len(every) // 2
    ]
