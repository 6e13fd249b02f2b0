# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for machines of Hetzner Cloud, each adds findings. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...findings import Findings
from ..cidr import network, suggestion
from ..schema import Inventory

NETWORK, OPERATORS = "machine_hcloud_network", "machine_hcloud_operators"
Record = dict[str, Any]


def halves(net: Any) -> tuple[Any, Any]:
    """The subnets of a fleet's network: the first half is the machines', the second the load balancers'."""
    first, second = net.subnets(prefixlen_diff=1)
    return first, second


def made(record: Record) -> list[str]:
    """Names of the machines that are made at Hetzner Cloud."""
    return [name for name, node in record["nodes"].items() if node["machine"] == "hcloud"]


def networks(inventory: Inventory, record: Record) -> dict[str, Any]:
    """For each machine of Hetzner Cloud the fleet's network there; None when it is not one that can be halved."""
    found = {name: network(_value(inventory, name, NETWORK)) for name in made(record)}
    return {name: net if net and net.version == 4 and net.prefixlen <= 28 else None for name, net in found.items()}


def machines(inventory: Inventory, record: Record, findings: Findings) -> None:
    """Machines of Hetzner Cloud have addresses of the fleet's one network there, and somebody may reach them."""
    nets = networks(inventory, record)
    first = next(iter(nets), "")
    for name, net in nets.items():
        if not net:
            value = _value(inventory, name, NETWORK)
            step = "Write one such as 10.78.0.0/16." if network(value) else suggestion(value)
            findings.error(name, NETWORK, f"'{value}' is no IPv4 network of /28 or larger", step)
        elif net != nets[first]:
            step = "Give all machines of Hetzner Cloud the same."
            findings.error(name, NETWORK, f"{net} is not {nets[first]}, the network of {first}", step)
        else:
            _address(name, record["nodes"][name]["address"], halves(net)[0], findings)
        _operators(name, _value(inventory, name, OPERATORS), findings)
    clusters = {record["nodes"][name]["cluster"] for name in nets}
    for name in sorted(clusters & set(record["clusters"])):
        _cluster(record["clusters"][name], record, nets, findings)


def _address(name: str, value: Any, half: Any, findings: Findings) -> None:
    """The address is one that a machine can have; Hetzner's gateway has the first."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return
    lowest, highest = half.network_address + 2, half.broadcast_address - 1
    if address == half.network_address + 1:
        problem = f"{address} is the address of Hetzner's gateway (first of {half})"
        findings.error(name, "node_address", problem, f"Use an address from {lowest} on.")
    elif address not in half or not lowest <= address <= highest:
        step = f"Use one from {lowest} to {highest}, or change {NETWORK}."
        findings.error(name, "node_address", f"{address} is no machine's address in {half}", step)


def _operators(name: str, value: Any, findings: Findings) -> None:
    """SSH and the API are open to somebody, and to nobody by mistake."""
    step = "List the networks that you reach machines from: [203.0.113.4/32]."
    listed = value if isinstance(value, list) else [value]
    wrong = [one for one in listed if not network(one)]
    if not listed:
        findings.error(name, "", f"{OPERATORS} is empty: nobody could reach SSH and the API", step)
    elif wrong or listed is not value:
        findings.error(name, OPERATORS, f"'{(wrong or listed)[0]}' is not valid: a list of networks", step)


def _cluster(cluster: Record, record: Record, nets: dict[str, Any], findings: Findings) -> None:
    """All machines of a cluster share the private network, and its API is found from outside of it."""
    others = [name for name in cluster["nodes"] if name not in nets]
    if others:
        problem = f"{cluster['name']} has machines of Hetzner Cloud, whose private network {others[0]} is not in"
        findings.error(others[0], "node_cluster", problem, "Give it a cluster of its own, and mesh the two.")
    host = network(f"{cluster['endpoint'].rpartition(':')[0]}/32")
    if any(host.subnet_of(net) for net in nets.values() if host and net and net.version == host.version):
        problem = f"cluster_endpoint is {cluster['endpoint']}, which is reached inside Hetzner's network only"
        step = f"Set a name such as api.{cluster['name']}.example.org:6443; the run says where it must lead."
        findings.error(cluster["name"], "", problem, step)


def _value(inventory: Inventory, name: str, variable: str) -> Any:
    """A role's variable as the machine has it."""
    return inventory.nodes[name].get(variable, inventory.roles.get("machine_hcloud", {}).get(variable))
