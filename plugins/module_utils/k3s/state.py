# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""State of k3s on a machine, and which nodes may leave its cluster. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..findings import Finding

ABSENT, STOPPED, RUNNING = "absent", "stopped", "running"
# Mounts to remove before the files of k3s, as its own k3s-killall.sh does.
MOUNTS = ("/run/k3s/", "/var/lib/kubelet/pods/", "/var/lib/kubelet/plugins/", "/run/netns/cni-")


@dataclass(frozen=True)
class Found:
    """What was found on the machine.

    data: whether it is in a cluster: etcd data on a server, a kubelet certificate on an agent.
    active: whether the unit is active or activating.
    up: whether the unit is active, which k3s reports once it is ready.
    enabled: whether it starts at boot.
    part: content of the file that names the cluster to join.
    """

    data: bool = False
    active: bool = False
    up: bool = False
    enabled: bool = False
    part: str = ""


def state(found: Found) -> str:
    """running: in a cluster and k3s is up; stopped: in a cluster; absent: never in a cluster."""
    if not found.data:
        return ABSENT
    return RUNNING if found.up and found.enabled else STOPPED


def unit(server: bool) -> str:
    """The systemd unit, named as by k3s' own installer."""
    return "k3s.service" if server else "k3s-agent.service"


def cluster_part(server_url: str) -> str:
    """The part of the configuration that names the cluster; without a server's URL it creates a new cluster.

    Only the first start has cluster-init: a server that lost its data must not create a second cluster.
    """
    return f"server: {server_url}\n" if server_url else "cluster-init: true\n"


def version(text: str) -> str:
    """ "v1.36.4+k3s1" from the output of ``k3s --version``; empty if it has none."""
    found = re.search(r"^k3s version (v\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def removal_findings(name: str, members: list[str], alive: list[str]) -> list[Finding]:
    """What prevents this node from leaving its cluster; nothing for agents.

    :param members: nodes that are members of etcd.
    :param alive: those of them that answer.
    """
    if name not in members:
        return []
    left = [one for one in members if one != name]
    if not left:
        return [Finding("error", name, "", "is the last server of its cluster", "To delete the cluster: ./odp down")]
    living = [one for one in left if one in alive]
    if len(living) >= len(left) // 2 + 1:
        return []
    silent = ", ".join(one for one in left if one not in alive)
    problem = f"without it only {len(living)} of {len(left)} servers would be alive, which is no majority"
    return [Finding("error", name, "", f"{problem}: {silent} does not answer", "Fix or remove that server first.")]


def member_nodes(info: dict[str, Any]) -> list[str]:
    """Nodes that are members of etcd, from /db/info; k3s names a member <node>-<eight characters>."""
    return sorted(member["name"].rpartition("-")[0] for member in info.get("members") or [] if member.get("name"))


def can_be_drained(name: str, found: dict[str, dict[str, Any]]) -> bool:
    """Whether another node can take the pods; without one a drain would only stop them."""
    return any(one["ready"] and one["schedulable"] for other, one in found.items() if other != name)


def mounts_to_end(table: str) -> list[str]:
    """Mount points of k3s in /proc/self/mounts, inner ones first."""
    points = {line.split()[1] for line in table.splitlines() if len(line.split()) > 1}
    ours = [one for one in points if one.startswith(MOUNTS)]
    return sorted(ours, reverse=True)
