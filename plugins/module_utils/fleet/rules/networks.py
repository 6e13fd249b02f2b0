# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which machines share a private network: whose traffic is encrypted, and who cannot be one mesh. Pure.

Nodes talk to each other by their addresses, without translation, also those of different
clusters of a mesh (Cilium's documentation, clustermesh setup).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ...findings import Findings
from ..schema import WITHOUT_NODES

Record = dict[str, Any]

# RFC 1918, RFC 4193 and link-local; those of overlay networks (100.64.0.0/10) reach each other from anywhere.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)


def network(node: Record) -> str:
    """The private network of a machine, empty if none is known; machines made by the run share one of their kind."""
    return str(node["network"] or ("" if node["machine"] == "existing" else node["machine"]))


def encrypted(record: Record) -> set[str]:
    """Clusters whose nodes' traffic must be encrypted: the nodes that talk to each other share no private network."""
    found: set[str] = set()
    for names in _scopes(record):
        clusters = [record["clusters"][name] for name in names]
        places = [network(record["nodes"][node]) for cluster in clusters for node in cluster["nodes"]]
        # kind's nodes are on one network of this host; of a cluster that somebody else made nothing is known.
        providers = [each["provider"] for each in clusters if each["provider"] in WITHOUT_NODES]
        places += ["kind" if provider == "kind" else "" for provider in providers]
        if len(places) > 1 and (len(set(places)) > 1 or not places[0]):
            found.update(names)
    return found


def reach(record: Record, findings: Findings) -> None:
    """Nodes that talk to each other are in one network, or have addresses that are good outside of theirs."""
    for names in _scopes(record):
        nodes = [record["nodes"][node] for name in names for node in record["clusters"][name]["nodes"]]
        for node in nodes:
            cut = sorted(f"{other['name']} (network {network(other)})" for other in nodes if _cannot_reach(other, node))
            if cut:
                problem = f"{node['address']} is private to network {network(node)}, these cannot reach it: "
                step = (
                    "Give it an address that all of them reach (public, or of an overlay network), "
                    "or one node_network to machines whose networks are routed."
                )
                findings.error(node["name"], "node_address", problem + ", ".join(cut), step)


def _scopes(record: Record) -> Iterable[list[str]]:
    """Clusters whose nodes talk to each other: the mesh, and each other cluster alone."""
    yield record["mesh"]
    yield from ([name] for name in record["clusters"] if name not in record["mesh"])


def _cannot_reach(other: Record, node: Record) -> bool:
    """Whether addresses alone tell that nothing of another node comes to this one."""
    one, two = network(other), network(node)
    return bool(one and two and one != two and _is_private(node["address"]))


def _is_private(address: Any) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in each for each in PRIVATE if each.version == found.version)
