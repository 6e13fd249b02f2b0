# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which nodes share a private network: whether their traffic is encrypted, and whether they reach each other. Pure.

Nodes, also those of different clusters in a mesh, reach each other by their addresses without translation (Cilium's
documentation, Setting up Cluster Mesh).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ...findings import Findings
from ..record import FleetRecord, NodeRecord
from ..schema import EXISTING, WITHOUT_NODES

# RFC 1918, RFC 4193 and link-local; addresses of overlay networks (100.64.0.0/10) are reachable from anywhere.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)


def network(node: NodeRecord) -> str:
    """The private network of a node, empty if unknown; hosts that a run creates share one for each kind."""
    return str(node["network"] or ("" if node["machine"] == EXISTING else node["machine"]))


def encrypted(record: FleetRecord) -> set[str]:
    """Clusters whose traffic between nodes must be encrypted, because these nodes share no private network."""
    found: set[str] = set()
    for names in _scopes(record):
        clusters = [record["clusters"][name] for name in names]
        places = [network(record["nodes"][node]) for cluster in clusters for node in cluster["nodes"]]
        # Nodes of kind share a network of this machine; the network of an existing cluster is unknown.
        providers = [each["provider"] for each in clusters if each["provider"] in WITHOUT_NODES]
        places += ["kind" if provider == "kind" else "" for provider in providers]
        if len(places) > 1 and (len(set(places)) > 1 or not places[0]):
            found.update(names)
    return found


def reach(record: FleetRecord, findings: Findings) -> None:
    """Nodes that talk to each other share a network, or have addresses that are reachable from outside of theirs."""
    for names in _scopes(record):
        nodes = [record["nodes"][node] for name in names for node in record["clusters"][name]["nodes"]]
        for node in nodes:
            cut = sorted(f"{other['name']} (network {network(other)})" for other in nodes if _cannot_reach(other, node))
            if cut:
                problem = f"{node['address']} is private to network {network(node)} and cannot be reached by "
                step = (
                    "Use an address that all of them reach (public, or of an overlay network), "
                    "or set the same node_network for nodes whose networks are routed."
                )
                findings.error(node["name"], "node_address", problem + ", ".join(cut), step)


def _scopes(record: FleetRecord) -> Iterable[list[str]]:
    """Names of clusters whose nodes talk to each other: those of the mesh, and each other cluster alone."""
    yield record["mesh"]
    yield from ([name] for name in record["clusters"] if name not in record["mesh"])


def _cannot_reach(other: NodeRecord, node: NodeRecord) -> bool:
    """Whether the other node certainly cannot reach the address of this one."""
    one, two = network(other), network(node)
    return bool(one and two and one != two and _is_private(node["address"]))


def _is_private(address: Any) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in each for each in PRIVATE if each.version == found.version)
