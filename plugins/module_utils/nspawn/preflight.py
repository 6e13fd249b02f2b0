# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Why the machines of a fleet cannot be created on this host, as findings. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..findings import Finding

GIB = 1024**3
BRIDGE_NAME_LENGTH = 15


@dataclass(frozen=True)
class Wanted:
    """What the inventory requires of this host; sizes in GiB, ``addresses`` by machine."""

    fleet: str
    directory: str
    bridge: str
    network: str
    memory_gib: float
    disk_gib: float
    addresses: dict[str, str]


@dataclass(frozen=True)
class Seen:
    """What this host reports.

    Args:
        root: whether this process runs as root.
        missing: commands that are not installed: the Debian package of each.
        apt: whether apt-get is there to install them.
        memory, disk: free bytes; of memory also below the limit of our own control groups.
        all_made: every machine runs already, so memory and disk are theirs.
        routes: (interface, network) of every address and route of this host but the default route.
        fleets: by name, what each fleet on this host recorded: ``directory``, ``bridge``, ``network``.
        links: names of all network interfaces.
    """

    root: bool = True
    missing: dict[str, str] = field(default_factory=dict)
    apt: bool = True
    memory: int = 1 << 60
    disk: int = 1 << 60
    all_made: bool = False
    routes: list[tuple[str, str]] = field(default_factory=list)
    fleets: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


def findings(wanted: Wanted, seen: Seen) -> list[Finding]:
    """Return every reason why the machines cannot be created, in a stable order."""
    return [*_tools(seen), *_resources(wanted, seen), *_owner(wanted, seen), *_network(wanted, seen)]


def _error(variable: str, problem: str, step: str, value: object = "") -> Finding:
    return Finding("error", "", variable, problem, step, value=str(value))


def _tools(seen: Seen) -> Iterator[Finding]:
    if not seen.root:
        yield _error("user", "only root can create machines", "Run the same command as root, or with sudo.")
    if seen.missing and not seen.apt:
        commands, packages = ", ".join(sorted(seen.missing)), " ".join(sorted(set(seen.missing.values())))
        problem = f"{commands} not found, and there is no apt-get to install them"
        yield _error("commands", problem, f"Install the equivalents of these Debian packages: {packages}", commands)


def _resources(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    for variable, what, value, free in (
        ("machine_nspawn_memory_gib", "memory", wanted.memory_gib, seen.memory),
        ("machine_nspawn_disk_gib", "disk space at /var/lib/odp", wanted.disk_gib, seen.disk),
    ):
        if free < value * GIB and not seen.all_made:
            problem = f"the fleet needs {value:g} GiB of {what}, {free / GIB:.1f} GiB are free"
            step = f"Free some, or set a lower number in {wanted.directory}/group_vars if your machines need less."
            yield _error(variable, problem, step, value)


def _owner(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    record = seen.fleets.get(wanted.fleet)
    if record and record["directory"] != wanted.directory:
        problem = f"{wanted.directory}: the fleet {wanted.fleet!r} on this host belongs to {record['directory']}"
        step = f"Remove that one first (./odp down {wanted.fleet} there), or rename this directory."
        yield _error("inventory", problem, step, wanted.directory)
    elif record and (record["bridge"], record["network"]) != (wanted.bridge, wanted.network):
        mine = f"{wanted.bridge} {wanted.network}"
        problem = f"{mine}: the running fleet uses {record['bridge']} {record['network']}"
        step = f"Set these in {wanted.directory}/group_vars, or run ./odp down first."
        yield _error("machine_nspawn_bridge, machine_nspawn_network", problem, step, mine)


def _network(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    step, bridge, variable = f"Choose another in {wanted.directory}/group_vars.", wanted.bridge, "machine_nspawn_bridge"
    if len(bridge) > BRIDGE_NAME_LENGTH:
        yield _error(variable, f"{bridge} is longer than {BRIDGE_NAME_LENGTH} characters", step, bridge)
    if bridge in seen.links and wanted.fleet not in seen.fleets:
        yield _error(variable, f"{bridge}: an interface of this name exists and is not ours", step, bridge)
    variable = "machine_nspawn_network"
    try:
        network = ipaddress.ip_network(wanted.network)
    except ValueError as error:
        example = f"Set a network such as 10.77.0.0/24 in {wanted.directory}/group_vars."
        yield _error(variable, str(error), example, wanted.network)
        return
    users = {link: other for link, other in seen.routes if link != bridge and _overlap(network, other)}
    for name, record in seen.fleets.items():
        if name != wanted.fleet and _overlap(network, record["network"]):
            users.setdefault(record["bridge"], f"{record['network']} of fleet {name}")
    for link, other in sorted(users.items()):
        yield _error(variable, f"{network} overlaps with {other}, which {link} of this host uses", step, network)
    reserved = {
        network.network_address: "the network address",
        network[1]: "the bridge's address",
        network.broadcast_address: "the broadcast address",
    }
    for machine, text in sorted(wanted.addresses.items()):
        address = ipaddress.ip_address(text)
        if address not in network or address in reserved:
            problem = f"{address} is {reserved.get(address, 'outside')} of machine_nspawn_network {network}"
            step = f"Choose another in {wanted.directory}/hosts.yml."
            yield Finding("error", machine, "node_address", problem, step, value=text)


def _overlap(network: ipaddress.IPv4Network | ipaddress.IPv6Network, other: str) -> bool:
    parsed = ipaddress.ip_network(other, strict=False)
    return parsed.version == network.version and bool(network.overlaps(parsed))
