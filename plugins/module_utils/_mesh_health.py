# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether traffic reaches the peers' nodes and pods, as cilium-health probed it. Pure.

Private to this collection: it may change without notice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def read(text: str, peers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return reachable and reason of each peer, from ``cilium-health status --probe -o json`` of one agent.

    A peer is reachable when each of its nodes answers, and on each the pod that is there to be probed.
    Raise ValueError for what is no such output.
    """
    nodes: dict[str, list[dict[str, Any]]] = {}
    for node in json.loads(text).get("nodes") or []:
        nodes.setdefault(node["name"].partition("/")[0], []).append(node)
    found = {}
    for peer in sorted(peers):
        failures = [failure for node in nodes.get(peer, []) for failure in _failures(node)]
        if peer not in nodes:
            failures = ["no node of it is known"]
        found[peer] = {"reachable": not failures, "reason": "; ".join(failures)}
    return found


def _failures(node: dict[str, Any]) -> list[str]:
    """Return which of a node's probes failed. Agents may run without the pod to probe.

    Further addresses are left out: an external one need not be reachable for the mesh.
    """
    found = []
    for place, words in (("host", "node"), ("health-endpoint", "pod of node")):
        if place not in node:
            continue
        address = node[place].get("primary-address") or {}
        for probe in ("icmp", "http"):
            result = address.get(probe)
            why = "not probed yet" if result is None else result.get("status")
            if why:
                found.append(f"{words} {node['name']} ({address.get('ip', 'no address')}) by {probe}: {why}")
    return found
