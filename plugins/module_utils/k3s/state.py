# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What k3s did on a machine and what may be done to a cluster of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

ABSENT, STOPPED, RUNNING = "absent", "stopped", "running"
# Set before a drain of ours, so that a run that was killed is known to have cordoned the node.
DRAINED = "opendata.platform/drained"
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


def numbers(text: str) -> tuple[int, ...]:
    """(1, 36, 4, 1) of "v1.36.4+k3s1", to compare versions by; empty if it is no version."""
    return tuple(int(one) for one in re.findall(r"\d+", re.sub(r"\+k3s", ".", text)))


def upgrade_refusal(name: str, seen: dict[str, dict], servers: list[str], wanted: str) -> str:
    """Why this node must not get the wanted version now; empty if it may.

    :param seen: as :func:`nodes` tells; what the kubelets report counts, not which binary lies on the machine.
    """
    reported = {node: one["version"] for node, one in seen.items()}
    if name not in reported:
        return f"{name} is no node of its cluster. Make it one first: ansible-playbook playbooks/clusters.yml"
    current = reported[name]
    if numbers(current) > numbers(wanted):
        return f"{name} runs {current}, which is newer than {wanted}. k3s cannot go back: restore a snapshot instead."
    if numbers(current)[0] != numbers(wanted)[0] or numbers(wanted)[1] - numbers(current)[1] > 1:
        major, minor = numbers(current)[:2]
        return f"{name} runs {current}: {wanted} skips a minor version. Upgrade to v{major}.{minor + 1} first."
    before = servers[: servers.index(name)] if name in servers else servers
    late = [one for one in before if numbers(reported.get(one, wanted)) < numbers(wanted)]
    if late:
        return f"{name} comes after {', '.join(late)}, which must run {wanted} first: see the error there."
    return ""


def removal_refusal(name: str, members: list[str], alive: list[str]) -> str:
    """Why this node must not leave; empty if it may, which is always so of an agent.

    :param members: nodes that are members of etcd.
    :param alive: those of them that answer.
    """
    if name not in members:
        return ""
    left = [one for one in members if one != name]
    if not left:
        return f"{name} is the last server of its cluster. To end the cluster use playbooks/down.yml."
    living = [one for one in left if one in alive]
    if len(living) < len(left) // 2 + 1:
        dead = ", ".join(one for one in left if one not in alive)
        return (
            f"Without {name} only {len(living)} of {len(left)} servers would be left alive, which is no majority: "
            f"{dead} does not answer. Mend or remove that one first."
        )
    return ""


def member_nodes(info: dict) -> list[str]:
    """Nodes that are members of etcd, from /db/info; k3s names a member <node>-<eight characters>."""
    return sorted(member["name"].rpartition("-")[0] for member in info.get("members") or [] if member.get("name"))


def nodes(listed: dict) -> dict[str, dict]:
    """What counts of each Node of a NodeList, by name: version, ready, schedulable, drained."""
    found = {}
    for item in listed.get("items", []):
        status = item.get("status", {})
        ready = [one["status"] for one in status.get("conditions", []) if one["type"] == "Ready"]
        found[item["metadata"]["name"]] = {
            "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
            "ready": ready == ["True"],
            "schedulable": not item.get("spec", {}).get("unschedulable", False),
            "drained": DRAINED in item["metadata"].get("annotations", {}),
        }
    return found


def can_be_drained(name: str, found: dict[str, dict]) -> bool:
    """Whether there is another node that takes pods; without one a drain would only end them."""
    return any(one["ready"] and one["schedulable"] for other, one in found.items() if other != name)


def mounts_to_end(table: str) -> list[str]:
    """Mount points of k3s in the text of /proc/self/mounts, inner ones first."""
    points = {line.split()[1] for line in table.splitlines() if len(line.split()) > 1}
    ours = [one for one in points if one.startswith(MOUNTS)]
    return sorted(ours, reverse=True)
