# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Rules for servers at Hetzner Cloud. Each adds findings. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...findings import Findings
from ..cidr import network, suggestion
from ..inventory import Inventory
from ..record import ClusterRecord, FleetRecord
from ..schema import HCLOUD

NETWORK, OPERATORS = "machine_hcloud_network", "machine_hcloud_operators"


def halves(net: Any) -> tuple[Any, Any]:
    """The subnets of a fleet's network: the first half is for servers, the second for load balancers."""
    first, second = net.subnets(prefixlen_diff=1)
    return first, second


def made(record: FleetRecord) -> list[str]:
    """Names of the nodes that are servers at Hetzner Cloud."""
    return [name for name, node in record["nodes"].items() if node["machine"] == HCLOUD]


def networks(inventory: Inventory, record: FleetRecord) -> dict[str, Any]:
    """The network of each server by name; None when it is not a network that can be halved."""
    found = {name: network(inventory.of_node(name, "machine_hcloud", NETWORK)) for name in made(record)}
    return {name: net if net and net.version == 4 and net.prefixlen <= 28 else None for name, net in found.items()}


def machines(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """Servers have addresses in the one network of the fleet, and operators reach them."""
    nets = networks(inventory, record)
    first = next(iter(nets), "")
    for name, net in nets.items():
        if not net:
            value = inventory.of_node(name, "machine_hcloud", NETWORK)
            step = "Write one such as 10.78.0.0/16." if network(value) else suggestion(value)
            findings.error(name, NETWORK, f"'{value}' is not an IPv4 network of /28 or larger", step)
        elif net != nets[first]:
            step = "Set the same network for all servers at Hetzner Cloud."
            findings.error(name, NETWORK, f"{net} is not {nets[first]}, the network of {first}", step)
        else:
            _address(name, record["nodes"][name]["address"], halves(net)[0], findings)
        _operators(name, inventory.of_node(name, "machine_hcloud", OPERATORS), findings)
    clusters = {record["nodes"][name]["cluster"] for name in nets}
    for name in sorted(clusters & set(record["clusters"])):
        _cluster(record["clusters"][name], record, nets, findings)


def _address(name: str, value: Any, half: Any, findings: Findings) -> None:
    """A server can have the address; the first one belongs to the gateway."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return
    lowest, highest = half.network_address + 2, half.broadcast_address - 1
    if address == half.network_address + 1:
        problem = f"{address} is the address of Hetzner's gateway (first of {half})"
        findings.error(name, "node_address", problem, f"Use an address from {lowest} on.")
    elif address not in half or not lowest <= address <= highest:
        step = f"Use an address from {lowest} to {highest}, or change {NETWORK}."
        findings.error(name, "node_address", f"{address} cannot be the address of a server in {half}", step)


def _operators(name: str, value: Any, findings: Findings) -> None:
    """SSH and the API server are reachable for a list of networks that is not empty."""
    step = "List the networks that operators connect from: [203.0.113.4/32]."
    listed = value if isinstance(value, list) else [value]
    wrong = [one for one in listed if not network(one)]
    if not listed:
        findings.error(name, "", f"{OPERATORS} is empty, so SSH and the API server would be unreachable", step)
    elif wrong or listed is not value:
        findings.error(name, OPERATORS, f"'{(wrong or listed)[0]}' is not valid: a list of networks", step)


def _cluster(cluster: ClusterRecord, record: FleetRecord, nets: dict[str, Any], findings: Findings) -> None:
    """All nodes of a cluster share the private network, and its API server is reachable from outside of it."""
    others = [name for name in cluster["nodes"] if name not in nets]
    if others:
        problem = f"{cluster['name']} has servers at Hetzner Cloud, and {others[0]} is not in their private network"
        findings.error(
            others[0], "node_cluster", problem, "Move it to a cluster of its own, and mesh the two clusters."
        )
    host = network(f"{cluster['endpoint'].rpartition(':')[0]}/32")
    if any(host.subnet_of(net) for net in nets.values() if host and net and net.version == host.version):
        problem = (
            f"cluster_endpoint is {cluster['endpoint']}, which is only reachable inside the network at Hetzner Cloud"
        )
        step = f"Set a name such as api.{cluster['name']}.example.org:6443; the run prints which address it needs."
        findings.error(cluster["name"], "", problem, step)
