# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The state of a kind cluster, and what a change of its config would lose. Pure."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from ..cluster import files

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

# Labels and names of containers are those of kind 0.33 (pkg/cluster/internal/providers).
CLUSTER_LABEL, ROLE_LABEL = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
ROLES = ("control-plane", "worker")
# The config that the cluster was created with, in each of its nodes: written last, readable while they are stopped.
RECORD = "/kind/opendata-platform.yaml"
ABSENT, FOREIGN, INTERRUPTED, DAMAGED = "absent", "foreign", "interrupted", "damaged"
STOPPED, RUNNING = "stopped", "running"
Config = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """A container of the cluster; its role may also be that of a load balancer."""

    name: str
    role: str
    running: bool
    networks: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """The containers of a cluster and the record in them, an empty text where there is none."""

    nodes: list[Node] = field(default_factory=list)
    record: str = ""

    def config(self) -> Config:
        """The config that the cluster was created with; empty while the record is incomplete."""
        try:
            found = yaml.safe_load(self.record)
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}


def node(container: dict[str, Any]) -> Node:
    """A container as ``inspect`` shows it."""
    return Node(
        container["Name"].lstrip("/"),
        (container["Config"].get("Labels") or {}).get(ROLE_LABEL, ""),
        container["State"]["Status"] == "running",
        tuple(sorted((container.get("NetworkSettings") or {}).get("Networks") or {})),
    )


def state(found: Found, network: str) -> str:
    """State of the cluster; its network tells from the start which fleet owns it."""
    if not found.nodes:
        return ABSENT
    if any(network not in each.networks for each in found.nodes):
        return FOREIGN
    if not found.config():
        return INTERRUPTED
    if missing(found):
        return DAMAGED
    return RUNNING if all(each.running for each in found.nodes) else STOPPED


def missing(found: Found) -> list[str]:
    """How many nodes of each role are missing, such as "1 worker"."""
    wanted = [each.get("role", "control-plane") for each in found.config().get("nodes") or [{}]]
    have = [each.role for each in found.nodes]
    gaps = {role: wanted.count(role) - have.count(role) for role in ROLES}
    return [f"{gap} {role}" for role, gap in gaps.items() if gap > 0]


def why_recreate(found: str, keys: list[str]) -> str:
    """Why a cluster in this state must be recreated; empty if it need not.

    :param keys: what differs between its config and the one that it was created with.
    """
    reasons = {INTERRUPTED: "its creation was interrupted", DAMAGED: "nodes are missing"}
    return reasons.get(found) or ("its config was changed" if keys else "")


def text(config: Config) -> str:
    """The config as canonical YAML, for the record, for diffs and for kind."""
    return str(yaml.safe_dump(config, sort_keys=True))


def changed_keys(before: Config, after: Config) -> list[str]:
    """Paths of what differs, such as networking.podSubnet or nodes[0].image."""
    old, new = dict(_flat(before)), dict(_flat(after))
    # As text, because 1 is not true.
    return sorted(key for key in {*old, *new} if repr(old.get(key)) != repr(new.get(key)))


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [item for key, each in value.items() for item in _flat(each, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list) and value:
        return [item for index, each in enumerate(value) for item in _flat(each, f"{path}[{index}]")]
    return [(path, value)]


def volumes(answer: dict[str, Any]) -> list[str]:
    """Volumes with data of pods, from a list of PersistentVolumes, as namespace/claim (size)."""
    return sorted(
        f"{claim['namespace']}/{claim['name']} ({item['spec'].get('capacity', {}).get('storage', '?')})"
        for item in answer.get("items") or []
        if (claim := item["spec"].get("claimRef"))
    )


def loss(found: Found, kept: list[str] | None) -> str:
    """What is deleted with the cluster.

    :param kept: its volumes; None if they could not be listed.
    """
    count = sum(each.role in ROLES for each in found.nodes)
    nodes = "1 node with all its pods" if count == 1 else f"{count} nodes with all their pods"
    if kept is None:
        return f"{nodes} and its volumes, which cannot be listed now"
    many = f"{len(kept)} volume{'' if len(kept) == 1 else 's'}"
    return f"{nodes} and {many}: {', '.join(kept)}" if kept else f"{nodes}, and no volumes"


def kubeconfig(source: str, name: str) -> str:
    """kind's kubeconfig as the fleet keeps it: context, cluster and user are named after the cluster."""
    server = yaml.safe_load(source)["clusters"][0]["cluster"]["server"]
    own = files.kubeconfig(source, name, server.removeprefix("https://"))
    return str(yaml.safe_dump(own, sort_keys=False))
