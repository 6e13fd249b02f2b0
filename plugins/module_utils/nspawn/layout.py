# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a host needs to run the machines of a fleet. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/odp")

# Required command: its Debian package.
PACKAGES = {"systemd-nspawn": "systemd-container", "nft": "nftables", "ip": "iproute2", "ssh-keygen": "openssh-client"}

# Values without a namespace of their own that the machines need; higher values of the host are kept.
RAISED = {
    "net.ipv4.ip_forward": 1,
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 1048576,
}
# Values without a namespace of their own that systemd, the kubelet or Cilium change from inside a machine.
CHANGED_BY_GUESTS = (
    "fs.file-max",
    "fs.nr_open",
    "fs.inotify.max_queued_events",
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.pid_max",
    "kernel.timer_migration",
    "kernel.unprivileged_bpf_disabled",
    "vm.max_map_count",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
REMEMBERED = (*RAISED, *CHANGED_BY_GUESTS)


def bridge_address(network: str) -> str:
    """Return the host's address on the bridge with its prefix length: the first of the network.

    >>> bridge_address("10.77.0.0/24")
    '10.77.0.1/24'
    """
    parsed = ipaddress.ip_network(network)
    return f"{parsed.network_address + 1}/{parsed.prefixlen}"


def machine_address(address: str, network: str) -> str:
    """Return a machine's address with the prefix length of its network."""
    return f"{address}/{ipaddress.ip_network(network).prefixlen}"


def bridge_mac(fleet: str) -> str:
    """Return a fixed MAC address for the bridge; the kernel's own changes with the ports."""
    digest = hashlib.sha256(fleet.encode()).hexdigest()
    return ":".join(["02", *(digest[i : i + 2] for i in range(0, 10, 2))])


def table_name(fleet: str) -> str:
    """Return the name of the fleet's nft table, which must not contain a dash or dot."""
    return "odp_" + fleet.replace("-", "_").replace(".", "_")


def nft_objects(fleet: str, network: str, bridge: str) -> list[dict[str, Any]]:
    """Return the fleet's nft table in nft's JSON: traffic that leaves the bridge is masqueraded."""
    parsed = ipaddress.ip_network(network)
    table = {"family": "ip", "table": table_name(fleet)}
    chain = {**table, "name": "postrouting", "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}
    source = {"payload": {"protocol": "ip", "field": "saddr"}}
    machines = {"prefix": {"addr": str(parsed.network_address), "len": parsed.prefixlen}}
    expression = [
        {"match": {"op": "==", "left": source, "right": machines}},
        {"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": bridge}},
        {"masquerade": None},
    ]
    return [
        {"table": {"family": "ip", "name": table_name(fleet)}},
        {"chain": chain},
        {"rule": {**table, "chain": "postrouting", "expr": expression}},
    ]


def nft_stripped(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """Return nft's JSON listing without the version and the handles, which differ between kernels."""
    objects = [item for entry in listing["nftables"] for item in entry.items() if item[0] != "metainfo"]
    return [{kind: {key: value for key, value in body.items() if key != "handle"}} for kind, body in objects]


def sysctls_to_set(current: dict[str, int]) -> dict[str, int]:
    """Return the values to raise, without names that this kernel does not have."""
    return {name: value for name, value in RAISED.items() if name in current and current[name] < value}


def sysctls_to_restore(current: dict[str, int], remembered: dict[str, int]) -> dict[str, int]:
    """Return the values that differ from those before the first machine was created."""
    return {name: value for name, value in remembered.items() if name in current and current[name] != value}


def remembered_sysctls(current: dict[str, int], others: list[dict[str, int]]) -> dict[str, int]:
    """Return the values to restore; those that another fleet recorded are older than the current ones."""
    oldest = {name: value for name, value in current.items() if name in REMEMBERED}
    for other in others:
        oldest.update(other)
    return oldest
