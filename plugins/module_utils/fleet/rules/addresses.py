# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Addresses and networks of nodes: each is unique, fits its network, and is reached by those that need it. Pure.

Nodes, also those of different clusters in a mesh, reach each other by their addresses without translation (Cilium's
documentation, Setting up Cluster Mesh).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from typing import Any

from ...findings import Findings
from ..cidr import Range, address_of, clashes, network, suggestion
from ..record import ClusterRecord, FleetRecord, Inventory, NodeRecord
from ..schema import EXISTING, HCLOUD, NSPAWN, WITHOUT_NODES

NSPAWN_NETWORK = "machine_nspawn_network"
HCLOUD_NETWORK, OPERATORS = "machine_hcloud_network", "machine_hcloud_operators"
BRIDGE = ("the bridge", "node", NSPAWN_NETWORK)
GATEWAY = ("Hetzner's gateway", "server", HCLOUD_NETWORK)
# RFC 1918, RFC 4193 and link-local; addresses of overlay networks (100.64.0.0/10) are reachable from anywhere.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)


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
            what, step = "a network", suggestion(value)
            if network(value):
                what, step = "a network of 8 addresses (/29) or more", "Write one such as 10.77.0.0/24."
            findings.error(name, NSPAWN_NETWORK, f"'{value}' is not {what}", step)
        if net and name in valid:
            _usable(name, "node_address", valid[name], net, BRIDGE, findings)
    for name, variable, address in taken:
        first = next(iter(record["clusters"][name]["control_planes"]), "") if name in record["clusters"] else ""
        if variable == "cluster_virtual_address" and (net := machine_networks(inventory, record).get(first)):
            _usable(name, variable, address, net, BRIDGE, findings)


def _usable(name: str, variable: str, address: Any, net: Any, words: tuple[str, str, str], findings: Findings) -> None:
    """A host can have the address: not the first of the network, which belongs to its gateway, nor one of its ends.

    :param words: the gateway, what has the address, and the variable of the network.
    """
    gateway, what, setting = words
    first, last = net.network_address + 1, net.broadcast_address - 1
    if address == first:
        step = f"Use an address from {first + 1} on."
        findings.error(name, variable, f"{address} is the address of {gateway} (first of {net})", step)
    elif address not in net or address in (net.network_address, net.broadcast_address):
        step = f"Use an address from {first + 1} to {last}, or change {setting}."
        findings.error(name, variable, f"{address} cannot be the address of a {what} in {net}", step)


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
    """The network of the bridge of each node on this machine, by name; None when it is not one with room for nodes."""
    own = {name: inventory.nodes[name] for name, node in record["nodes"].items() if node["machine"] == NSPAWN}
    found = {name: network(inventory.value(each, "machine_nspawn", NSPAWN_NETWORK)) for name, each in own.items()}
    return {name: net if net and net.num_addresses >= 8 else None for name, net in found.items()}


def halves(net: Any) -> tuple[Any, Any]:
    """The subnets of a fleet's network: the first half is for servers, the second for load balancers."""
    first, second = net.subnets(prefixlen_diff=1)
    return first, second


def hcloud_networks(inventory: Inventory, record: FleetRecord) -> dict[str, Any]:
    """The network of each server by name; None when it is not a network that can be halved."""
    own = {name: inventory.nodes[name] for name, node in record["nodes"].items() if node["machine"] == HCLOUD}
    found = {name: network(inventory.value(each, "machine_hcloud", HCLOUD_NETWORK)) for name, each in own.items()}
    return {name: net if net and net.version == 4 and net.prefixlen <= 28 else None for name, net in found.items()}


def servers(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """Servers have addresses in the one network of the fleet, and operators reach them."""
    nets = hcloud_networks(inventory, record)
    first = next(iter(nets), "")
    for name, net in nets.items():
        if not net:
            value = inventory.value(inventory.nodes[name], "machine_hcloud", HCLOUD_NETWORK)
            step = "Write one such as 10.78.0.0/16." if network(value) else suggestion(value)
            findings.error(name, HCLOUD_NETWORK, f"'{value}' is not an IPv4 network of /28 or larger", step)
        elif net != nets[first]:
            step = "Set the same network for all servers at Hetzner Cloud."
            findings.error(name, HCLOUD_NETWORK, f"{net} is not {nets[first]}, the network of {first}", step)
        elif address := address_of(record["nodes"][name]["address"]):
            _usable(name, "node_address", address, halves(net)[0], GATEWAY, findings)
        _operators(name, inventory.value(inventory.nodes[name], "machine_hcloud", OPERATORS), findings)
    clusters = {record["nodes"][name]["cluster"] for name in nets}
    for name in sorted(clusters & set(record["clusters"])):
        _cluster(record["clusters"][name], record, nets, findings)


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
        step = "Move it to a cluster of its own, and mesh the two clusters."
        findings.error(others[0], "node_cluster", problem, step)
    host = network(f"{str(cluster['endpoint']).rpartition(':')[0]}/32")
    if any(host.subnet_of(net) for net in nets.values() if host and net and net.version == host.version):
        where = "which is only reachable inside the network at Hetzner Cloud"
        problem = f"cluster_endpoint is {cluster['endpoint']}, {where}"
        step = f"Set a name such as api.{cluster['name']}.example.org:6443; the run prints which address it needs."
        findings.error(cluster["name"], "", problem, step)


def _place(node: NodeRecord) -> str:
    """The private network of a node, empty if unknown; hosts that a run creates share one for each kind."""
    return str(node["network"] or ("" if node["machine"] == EXISTING else node["machine"]))


def encrypted(record: FleetRecord) -> set[str]:
    """Clusters whose traffic between nodes must be encrypted, because these nodes share no private network."""
    found: set[str] = set()
    for names in _scopes(record):
        clusters = [record["clusters"][name] for name in names]
        places = [_place(record["nodes"][node]) for cluster in clusters for node in cluster["nodes"]]
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
            cut = sorted(f"{other['name']} (network {_place(other)})" for other in nodes if _cannot_reach(other, node))
            if cut:
                problem = f"{node['address']} is private to network {_place(node)} and cannot be reached by "
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
    one, two = _place(other), _place(node)
    return bool(one and two and one != two and _is_private(node["address"]))


def _is_private(address: Any) -> bool:
    found = address_of(address)
    return any(found in each for each in PRIVATE if found and each.version == found.version)
