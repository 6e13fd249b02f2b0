# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What stands against machines on this host. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

GIB = 1024**3
BRIDGE_NAME_LENGTH = 15


@dataclass(frozen=True)
class Wanted:
    """What the inventory asks of this host; sizes in GiB, ``addresses`` by machine."""

    fleet: str
    directory: str
    bridge: str
    network: str
    memory_gib: float
    disk_gib: float
    addresses: dict[str, str]


@dataclass(frozen=True)
class Seen:
    """What this host is like.

    Args:
        root: whether this is the root user with its capabilities.
        missing: commands that are not there: the package that brings each.
        apt: whether apt-get is there to install them.
        memory, disk: bytes that are free, for memory also below the limit of our own control groups.
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
    fleets: dict[str, dict] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


def findings(wanted: Wanted, seen: Seen) -> list[str]:
    """Return every reason why the machines cannot be made, each with its place and next step, in a stable order."""
    return [*_tools(seen), *_resources(wanted, seen), *_owner(wanted, seen), *_network(wanted, seen)]


def _tools(seen: Seen) -> list[str]:
    found = []
    if not seen.root:
        found.append("user: machines are made by root. Run the same command as root, or with sudo.")
    if seen.missing and not seen.apt:
        commands, packages = ", ".join(sorted(seen.missing)), " ".join(sorted(set(seen.missing.values())))
        found.append(
            f"commands: {commands} not found, and there is no apt-get to install them. "
            f"Install what Debian calls: {packages}"
        )
    return found


def _resources(wanted: Wanted, seen: Seen) -> list[str]:
    if seen.all_made:
        return []
    found = []
    for variable, what, value, free in (
        ("machine_nspawn_memory_gib", "memory", wanted.memory_gib, seen.memory),
        ("machine_nspawn_disk_gib", "disk space at /var/lib/odp", wanted.disk_gib, seen.disk),
    ):
        if free < value * GIB:
            found.append(
                f"{variable}: the fleet needs {value:g} GiB of {what}, {free / GIB:.1f} GiB are free. "
                f"Free some, or set a lower number in {wanted.directory}/group_vars if your machines need less."
            )
    return found


def _owner(wanted: Wanted, seen: Seen) -> list[str]:
    record = seen.fleets.get(wanted.fleet)
    if record and record["directory"] != wanted.directory:
        return [
            f"inventory: {wanted.directory}: this host carries a fleet {wanted.fleet!r} of {record['directory']}. "
            f"Take that one down first (./odp down {wanted.fleet} there), or give this directory another name."
        ]
    if record and (record["bridge"], record["network"]) != (wanted.bridge, wanted.network):
        return [
            f"machine_nspawn_bridge, machine_nspawn_network: {wanted.bridge} {wanted.network}: the running fleet has "
            f"{record['bridge']} {record['network']}. Set these in {wanted.directory}/group_vars, or ./odp down first."
        ]
    return []


def _network(wanted: Wanted, seen: Seen) -> list[str]:
    place = f"Choose another in {wanted.directory}/group_vars."
    found = []
    if len(wanted.bridge) > BRIDGE_NAME_LENGTH:
        found.append(f"machine_nspawn_bridge: {wanted.bridge}: longer than {BRIDGE_NAME_LENGTH} characters. {place}")
    if wanted.bridge in seen.links and wanted.fleet not in seen.fleets:
        found.append(f"machine_nspawn_bridge: {wanted.bridge}: a link of this name is there and not ours. {place}")
    try:
        network = ipaddress.ip_network(wanted.network)
    except ValueError as error:
        return [
            *found,
            f"machine_nspawn_network: {error}. Set a network like 10.77.0.0/24 in {wanted.directory}/group_vars.",
        ]
    users = {link: other for link, other in seen.routes if link != wanted.bridge and _overlap(network, other)}
    for name, record in seen.fleets.items():
        if name != wanted.fleet and _overlap(network, record["network"]):
            users.setdefault(record["bridge"], f"{record['network']} of fleet {name}")
    for link, other in sorted(users.items()):
        found.append(f"machine_nspawn_network: {network}: {link} of this host uses {other}. {place}")
    reserved = {
        network.network_address: "the network's",
        network[1]: "the bridge's",
        network.broadcast_address: "the broadcast",
    }
    for machine, text in sorted(wanted.addresses.items()):
        address = ipaddress.ip_address(text)
        if address not in network or address in reserved:
            what = f"{reserved[address]} address" if address in reserved else "outside"
            found.append(
                f"node_address of {machine}: {address} is {what} of machine_nspawn_network {network}. "
                f"Choose another in {wanted.directory}/hosts.yml."
            )
    return found


def _overlap(network: ipaddress.IPv4Network | ipaddress.IPv6Network, other: str) -> bool:
    parsed = ipaddress.ip_network(other, strict=False)
    return parsed.version == network.version and parsed.overlaps(network)
