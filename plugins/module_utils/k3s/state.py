# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""State of k3s on a machine, configuration of its nodes, and what prevents changes to them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..cluster.operations import number
from ..findings import Finding

ABSENT, STOPPED, RUNNING = "absent", "stopped", "running"
# Mounts to remove before the files of k3s, as its own k3s-killall.sh does.
MOUNTS = ("/run/k3s/", "/var/lib/kubelet/pods/", "/var/lib/kubelet/plugins/", "/run/netns/cni-")

# Flags --etcd-s3-<name> of k3s.
S3 = (
    "access_key",
    "bucket",
    "endpoint",
    "endpoint_ca",
    "folder",
    "insecure",
    "proxy",
    "region",
    "retention",
    "secret_key",
    "skip_ssl_verify",
    "timeout",
)


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
        return [
            Finding(
                "error",
                name,
                "",
                "is the last server of its cluster",
                "To tear the whole fleet down: ./odp down INVENTORY",
            )
        ]
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


def s3(settings: dict[str, Any]) -> dict[str, Any]:
    """k3s configuration for snapshots on S3; empty without settings.

    :param settings: ``cluster_k3s_s3``.
    """
    keys = {f"etcd-s3-{key.replace('_', '-')}": value for key, value in sorted(settings.items())}
    return {"etcd-s3": True, **keys} if settings else {}


def registries(names: list[str], mirror: str) -> dict[str, Any]:
    """registries.yaml with the mirror first, which stores image registry/x as repository registry/x.

    :param mirror: URL of the registry mirror; empty for none.
    """
    if not mirror:
        return {}
    return {"mirrors": {name: {"endpoint": [mirror], "rewrite": {"^(.*)$": f"{name}/$1"}} for name in names}}


def inspected(names: list[str], hostvars: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What k3s_node returned for each node that was inspected, by name, in the order given."""
    found = {name: hostvars[name].get("__cluster_k3s_found") for name in names if name in hostvars}
    return {name: one for name, one in found.items() if one and "state" in one}


def in_state(found: dict[str, dict[str, Any]], *states: str) -> list[str]:
    """Nodes that are in one of the states, in the order given."""
    return [name for name, one in found.items() if one["state"] in states]


def node_findings(name: str, found: dict[str, dict[str, Any]], servers: list[str], wanted: str) -> list[Finding]:
    """What prevents the inventory from being applied to a node; nothing for a node that is in no cluster yet.

    :param found: the result of :func:`inspected` for the cluster's nodes.
    :param wanted: version of k3s.
    """
    mine = found.get(name, {"state": "absent"})
    if mine["state"] == "absent":
        return []
    findings = []
    if mine["version"] not in ("", wanted):
        problem = f"runs k3s {mine['version']}, but the inventory wants {wanted}"
        findings.append(Finding("error", name, "cluster_kubernetes", problem, "To upgrade it: ./odp upgrade"))
    if not mine["same_token"]:
        problem = "the node has another token than cluster_k3s_token or .state/clusters/<cluster>/token"
        step = "Restore the old value; to change the token, run on a server: k3s token rotate"
        findings.append(Finding("error", name, "cluster_k3s_token", problem, step))
    order = [one for one in servers if found.get(one, {}).get("state") == "running"] + servers
    first = next((one for one in order if found.get(one, {}).get("ca")), "")
    if first and mine["ca"] and mine["ca"] != found[first]["ca"]:
        problem = (
            f"holds data of a cluster other than that of {first}: its CA is {mine['ca'][:12]}, that of {first} is "
            f"{found[first]['ca'][:12]}"
        )
        step = "If its data can be deleted, uninstall k3s on it, then run again."
        findings.append(Finding("error", name, "", problem, step))
    return findings


def upgrade_findings(name: str, seen: dict[str, dict[str, Any]], servers: list[str], wanted: str) -> list[Finding]:
    """What prevents the upgrade of a node to the wanted version now.

    :param seen: the result of `cluster.operations.nodes`: the version of the running kubelet counts, not the binary's.
    """

    def error(problem: str, step: str) -> list[Finding]:
        return [Finding("error", name, "cluster_kubernetes", problem, step)]

    reported = {node: one["version"] for node, one in seen.items()}
    if name not in reported:
        return error("is not a node of its cluster", "Join it first: ansible-playbook playbooks/clusters.yml")
    current = reported[name]
    if number(current) > number(wanted):
        return error(f"runs {current}, which is newer than {wanted}", "k3s cannot be downgraded: restore a snapshot.")
    if number(current)[0] != number(wanted)[0] or number(wanted)[1] - number(current)[1] > 1:
        major, minor = number(current)[:2]
        return error(f"runs {current}, and {wanted} skips a minor version", f"Upgrade to v{major}.{minor + 1} first.")
    before = servers[: servers.index(name)] if name in servers else servers
    late = [one for one in before if number(reported.get(one, wanted)) < number(wanted)]
    if late:
        return error(f"must wait until {', '.join(late)} runs {wanted}", "See the error there.")
    return []
