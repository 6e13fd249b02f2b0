# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where peers dial a cluster's clustermesh-apiserver, from its Service and nodes. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...kubernetes import health
from ..chart import SERVICE

PORT = 2379
Endpoint = dict[str, Any]


def sort_ips(ips: set[str]) -> list[str]:
    """Return addresses in the order of numbers, IPv4 first."""
    return sorted(ips, key=lambda ip: (ipaddress.ip_address(ip).version, ipaddress.ip_address(ip)))


def find(
    service: dict[str, Any] | None,
    nodes: list[dict[str, Any]],
    override: dict[str, Any] | None = None,
    node_address: str = "InternalIP",
    node_count: int = 3,
) -> Endpoint:
    """Return type, ips, address, port and source of the endpoint; without ips and address there is none to dial.

    A load balancer that has only a name keeps it: resolved once, it would go stale.
    """
    if override:
        chosen = {"ips": sort_ips({*(override.get("ips") or [])}), "address": override.get("address") or ""}
        return {"type": "override", **chosen, "port": override.get("port") or PORT, "source": "option endpoint"}
    if service is None:
        return _endpoint("none", set(), 0, f"there is no Service {SERVICE}")
    spec, source = service["spec"], f"Service {SERVICE}"
    port = next((each for each in spec["ports"] if each["port"] == PORT), spec["ports"][0])
    if spec["type"] == "LoadBalancer":
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        ips = {each["ip"] for each in given if each.get("ip")}
        names = sorted(each["hostname"] for each in given if each.get("hostname"))
        return _endpoint("LoadBalancer", ips, port["port"], source, names[0] if names and not ips else "")
    if spec["type"] == "NodePort":
        chosen_ips = set(sort_ips(_addresses(nodes, node_address))[:node_count])
        return _endpoint("NodePort", chosen_ips, port.get("nodePort", 0), f"{source} and {node_address} of Ready nodes")
    own = spec.get("clusterIP") or "None"
    return _endpoint("ClusterIP", set() if own == "None" else {own}, port["port"], source)


def _endpoint(kind: str, ips: set[str], port: int, source: str, address: str = "") -> Endpoint:
    return {"type": kind, "ips": sort_ips(ips), "address": address, "port": port, "source": source}


def _addresses(nodes: list[dict[str, Any]], kind: str) -> set[str]:
    """Return the first address of a kind of each Ready node."""
    found = set()
    for node in nodes:
        addresses = [each["address"] for each in node["status"].get("addresses") or [] if each["type"] == kind]
        if addresses and not health.node(node):
            found.add(addresses[0])
    return found


def usable(endpoint: Endpoint) -> bool:
    """Whether peers have something to dial."""
    return bool((endpoint["ips"] or endpoint["address"]) and endpoint["port"])
