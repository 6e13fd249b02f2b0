# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the API reports of the nodes of an existing cluster. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

Object = dict[str, Any]
Facts = dict[str, Any]
# docs.cilium.io, operations/system_requirements: Linux 5.10, or 4.18 of RHEL 8.10.
_KERNEL, _KERNEL_WORDS = (5, 10), "5.10 (4.18 on RHEL 8.10)"


def linux(nodes: list[Object]) -> list[Object]:
    """The nodes that Cilium runs on."""
    return [node for node in nodes if _info(node).get("operatingSystem", "linux") == "linux"]


def facts(nodes: list[Object]) -> dict[str, Facts]:
    """By node name what role cilium reads from node_facts.

    Features that the API does not report are assumed, so that values stay as configured; the agent reports what its
    kernel lacks.
    """
    features = dict.fromkeys(("fq", "geneve", "netkit", "vxlan", "wireguard"), True)
    return {
        node["metadata"]["name"]: {
            "container": "",
            "kernel": {"version": _info(node).get("kernelVersion", ""), **features},
            "os": {"name": _info(node).get("osImage", "")},
            "sys_resource": True,
        }
        for node in linux(nodes)
    }


def old_kernels(nodes: list[Object]) -> list[str]:
    """Nodes with a kernel that Cilium does not run on: ``name (4.15.0)``."""
    old = []
    for node in linux(nodes):
        text, system = _info(node).get("kernelVersion", ""), _info(node).get("osImage", "")
        number = re.match(r"(\d+)\.(\d+)", text)
        version = (int(number[1]), int(number[2])) if number else _KERNEL
        if version < _KERNEL and not (version >= (4, 18) and "8.10" in system):
            old.append(f"{node['metadata']['name']} ({text})")
    return old


def pod_ranges(nodes: list[Object]) -> dict[str, str]:
    """IPv4 pod CIDR by node name, for nodes that have one."""
    ranges: dict[str, str] = {}
    for node in linux(nodes):
        spec = node.get("spec") or {}
        every = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        first = next((each for each in every if ":" not in each), "")
        ranges |= {node["metadata"]["name"]: first} if first else {}
    return ranges


def addresses_within(nodes: list[Object], net: str) -> list[str]:
    """Nodes with an address in a range: ``name (10.244.0.9)``."""
    wanted, found = ipaddress.ip_network(net), []
    for node in nodes:
        for each in (node.get("status") or {}).get("addresses") or []:
            if each["type"] == "InternalIP" and ipaddress.ip_address(each["address"]) in wanted:
                found.append(f"{node['metadata']['name']} ({each['address']})")
    return found


def kernel_words() -> str:
    """The oldest supported kernel, for messages."""
    return _KERNEL_WORDS


def _info(node: Object) -> dict[str, str]:
    return (node.get("status") or {}).get("nodeInfo") or {}
