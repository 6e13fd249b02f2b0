# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for addresses and ranges of an inventory, each adds findings. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from ...findings import Findings
from ..cidr import (
    Range,
    address_of,
    clashes,
    network,
    suggestion,
)
from ..schema import Inventory
from .hcloud import NETWORK as HCLOUD_NETWORK
from .hcloud import networks as hcloud_networks

NSPAWN_NETWORK = "machine_nspawn_network"
Record = dict[str, Any]


def addresses(inventory: Inventory, record: Record, findings: Findings) -> None:
    """No two machines or APIs share an address; machines made here have one of the bridge's network."""
    valid = {name: found for name, node in record["nodes"].items() if (found := address_of(node["address"]))}
    taken = [(name, "node_address", address) for name, address in valid.items()]
    taken += [
        (name, "cluster_virtual_address", found)
        for name, cluster in record["clusters"].items()
        if (found := address_of(cluster["virtual_address"]))
    ]
    for (one, _, first), (two, variable, second) in itertools.combinations(taken, 2):
        if first == second:
            findings.error(two, variable, f"{second} is already the address of {one}", "Give each its own.")
    for name, net in machine_networks(inventory, record).items():
        if not net:
            value = inventory.nodes[name].get(NSPAWN_NETWORK)
            findings.error(name, NSPAWN_NETWORK, f"'{value}' is no network", suggestion(value))
        if net and name in valid:
            _on_bridge(name, "node_address", valid[name], net, findings)
    for name, variable, address in taken:
        first = next(iter(record["clusters"].get(name, {}).get("control_planes", [])), "")
        if variable == "cluster_virtual_address" and (net := machine_networks(inventory, record).get(first)):
            _on_bridge(name, variable, address, net, findings)


def _on_bridge(name: str, variable: str, address: Any, net: Any, findings: Findings) -> None:
    """An address that machines made here can have."""
    bridge = net.network_address + 1
    if address == bridge:
        step = f"Use an address from {bridge + 1} on."
        findings.error(name, variable, f"{address} is the address of the bridge (first of {net})", step)
    elif address not in net or address in (net.network_address, net.broadcast_address):
        step = f"Use one from {bridge + 1} to {net.broadcast_address - 1}, or change machine_nspawn_network."
        findings.error(name, variable, f"{address} is no machine's address in {net}", step)


def ranges(inventory: Inventory, record: Record, findings: Findings) -> None:
    """Pods, Services and machines of all clusters can be told apart by their addresses."""
    found = []
    for name, cluster in record["clusters"].items():
        # A cluster with a network of its own meets no other.
        for kind in ("pod", "service") if cluster["cilium"] else ():
            if net := network(cluster[f"{kind}_cidr"]):
                found.append(Range(kind, name, f"cluster_{kind}_cidr", net))
    bridges = {net: name for name, net in machine_networks(inventory, record).items() if net}
    found += [Range("machine", name, NSPAWN_NETWORK, net) for net, name in bridges.items()]
    away = {net: name for name, net in hcloud_networks(inventory, record).items() if net}
    found += [Range("machine", name, HCLOUD_NETWORK, net) for net, name in away.items()]
    for name, node in record["nodes"].items():
        if node["machine"] == "existing" and (address := address_of(node["address"])):
            found.append(Range("machine", name, "node_address", ipaddress.ip_network(address)))
    for mine, other in clashes(found):
        problem = f"{mine.net} overlaps {other.net}, {other.variable} of {other.owner}"
        findings.error(mine.owner, mine.variable, problem, "Choose ranges that do not overlap.")


def machine_networks(inventory: Inventory, record: Record) -> dict[str, Any]:
    """For each machine made here the network of its bridge; None when it is not a network."""
    default = inventory.roles.get("machine_nspawn", {}).get(NSPAWN_NETWORK)
    made = [name for name, node in record["nodes"].items() if node["machine"] == "nspawn"]
    return {name: network(inventory.nodes[name].get(NSPAWN_NETWORK, default)) for name in made}
