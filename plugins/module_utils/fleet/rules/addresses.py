# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Rules for addresses and address ranges. Each adds findings. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from ...findings import Findings
from ..cidr import Range, address_of, clashes, network, suggestion
from ..inventory import Inventory
from ..record import FleetRecord
from ..schema import EXISTING, NSPAWN
from .hcloud import NETWORK as HCLOUD_NETWORK
from .hcloud import networks as hcloud_networks

NSPAWN_NETWORK = "machine_nspawn_network"


def addresses(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """No two nodes or virtual addresses are the same; nodes on this machine have one in the bridge's network."""
    valid = {name: found for name, node in record["nodes"].items() if (found := address_of(node["address"]))}
    taken = [(name, "node_address", address) for name, address in valid.items()]
    taken += [
        (name, "cluster_virtual_address", found)
        for name, cluster in record["clusters"].items()
        if (found := address_of(cluster["virtual_address"]))
    ]
    for (one, _, first), (two, variable, second) in itertools.combinations(taken, 2):
        if first == second:
            findings.error(two, variable, f"{second} is already the address of {one}", "Use another address.")
    for name, net in machine_networks(inventory, record).items():
        if not net:
            value = inventory.nodes[name].get(NSPAWN_NETWORK)
            findings.error(name, NSPAWN_NETWORK, f"'{value}' is not a network", suggestion(value))
        if net and name in valid:
            _on_bridge(name, "node_address", valid[name], net, findings)
    for name, variable, address in taken:
        first = next(iter(record["clusters"][name]["control_planes"]), "") if name in record["clusters"] else ""
        if variable == "cluster_virtual_address" and (net := machine_networks(inventory, record).get(first)):
            _on_bridge(name, variable, address, net, findings)


def _on_bridge(name: str, variable: str, address: Any, net: Any, findings: Findings) -> None:
    """The address is one that a node on this machine can have."""
    bridge = net.network_address + 1
    if address == bridge:
        step = f"Use an address from {bridge + 1} on."
        findings.error(name, variable, f"{address} is the address of the bridge (first of {net})", step)
    elif address not in net or address in (net.network_address, net.broadcast_address):
        step = f"Use an address from {bridge + 1} to {net.broadcast_address - 1}, or change machine_nspawn_network."
        findings.error(name, variable, f"{address} cannot be the address of a node in {net}", step)


def ranges(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """The ranges of pods, Services and nodes of all clusters do not overlap where they must be distinct."""
    found = []
    for name, cluster in record["clusters"].items():
        # A cluster that keeps its own network is not in the mesh.
        for kind in ("pod", "service") if cluster["cilium"] else ():
            if net := network(cluster["pod_cidr"] if kind == "pod" else cluster["service_cidr"]):
                found.append(Range(kind, name, f"cluster_{kind}_cidr", net))
    bridges = {net: name for name, net in machine_networks(inventory, record).items() if net}
    found += [Range("machine", name, NSPAWN_NETWORK, net) for net, name in bridges.items()]
    away = {net: name for name, net in hcloud_networks(inventory, record).items() if net}
    found += [Range("machine", name, HCLOUD_NETWORK, net) for net, name in away.items()]
    for name, node in record["nodes"].items():
        if node["machine"] == EXISTING and (address := address_of(node["address"])):
            found.append(Range("machine", name, "node_address", ipaddress.ip_network(address)))
    for mine, other in clashes(found):
        problem = f"{mine.net} overlaps {other.net}, {other.variable} of {other.owner}"
        findings.error(mine.owner, mine.variable, problem, "Choose ranges that do not overlap.")


def machine_networks(inventory: Inventory, record: FleetRecord) -> dict[str, Any]:
    """The network of the bridge of each node on this machine, by name; None when it is not a network."""
    made = [name for name, node in record["nodes"].items() if node["machine"] == NSPAWN]
    return {name: network(inventory.of_node(name, "machine_nspawn", NSPAWN_NETWORK)) for name in made}
