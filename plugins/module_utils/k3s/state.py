# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What k3s did on a machine and what may be done to a cluster of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..findings import Finding

ABSENT, STOPPED, RUNNING = "absent", "stopped", "running"
# What must go from the mount table before the files of k3s may, as in its own k3s-killall.sh.
MOUNTS = ("/run/k3s/", "/var/lib/kubelet/pods/", "/var/lib/kubelet/plugins/", "/run/netns/cni-")


@dataclass(frozen=True)
class Found:
    """What lies on the machine.

    data: whether it belongs to a cluster already: data of etcd on a server, a kubelet's certificate on an agent.
    active: whether the unit runs or is about to.
    up: whether it runs and k3s said that it is ready.
    enabled: whether it starts at boot.
    part: text of the file that names the cluster to join.
    """

    data: bool = False
    active: bool = False
    up: bool = False
    enabled: bool = False
    part: str = ""


def state(found: Found) -> str:
    """running: in a cluster, and k3s is up; stopped: in a cluster only; absent: it never was in one."""
    if not found.data:
        return ABSENT
    return RUNNING if found.up and found.enabled else STOPPED


def unit(server: bool) -> str:
    """The systemd unit, named as k3s' own installer names it."""
    return "k3s.service" if server else "k3s-agent.service"


def cluster_part(server_url: str) -> str:
    """The part of the configuration that names the cluster; without a server's URL a new one is made.

    Nothing but the first start says cluster-init: a server that lost its data must not make a second cluster.
    """
    return f"server: {server_url}\n" if server_url else "cluster-init: true\n"


def version(text: str) -> str:
    """ "v1.36.4+k3s1" from what ``k3s --version`` prints; empty if it is not there."""
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


def member_nodes(info: dict) -> list[str]:
    """Nodes that are members of etcd, from /db/info; k3s names a member <node>-<eight characters>."""
    return sorted(member["name"].rpartition("-")[0] for member in info.get("members") or [] if member.get("name"))


def can_be_drained(name: str, found: dict[str, dict]) -> bool:
    """Whether there is another node that takes pods; without one a drain would only end them."""
    return any(one["ready"] and one["schedulable"] for other, one in found.items() if other != name)


def mounts_to_end(table: str) -> list[str]:
    """Mount points of k3s in the text of /proc/self/mounts, inner ones first."""
    points = {line.split()[1] for line in table.splitlines() if len(line.split()) > 1}
    ours = [one for one in points if one.startswith(MOUNTS)]
    return sorted(ours, reverse=True)
