# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Cluster Mesh in Cilium's chart: names of its objects, and what differs between minor versions. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple

AGENT_SECRET = "cilium-clustermesh"  # entries that the agents read
KVSTOREMESH_SECRET = "cilium-kvstoremesh"  # entries that KVStoreMesh reads
USERS = "clustermesh-remote-users"
SERVICE = "clustermesh-apiserver"
DEPLOYMENT = "clustermesh-apiserver"
CONFIG = "cilium-config"
LEAFS = {
    "server": "clustermesh-apiserver-server-cert",
    "admin": "clustermesh-apiserver-admin-cert",
    "remote": "clustermesh-apiserver-remote-cert",
    "local": "clustermesh-apiserver-local-cert",
}
DOMAIN = "mesh.cilium.io"
MANAGER = "cilium-clustermesh-ansible"
BUNDLE_SINCE = (1, 18, 5)  # KVStoreMesh reads every CA of a bundle from here on


class Flavour(NamedTuple):
    """One minor version: how its entries and defaults are."""

    aliases_in_entries: bool  # peers given by ips are named in the entry, not in hostAliases of the pod
    auth_default: str  # authMode of the chart
    policy_local_default: bool  # policies select the local cluster only
    nodeport_must_differ: bool  # with kube-proxy replacement (cilium#24692)


_TABLE = {
    (1, 18): Flavour(False, "legacy", False, True),
    (1, 19): Flavour(False, "migration", True, False),
    (1, 20): Flavour(True, "migration", True, False),
}


def parts(version: str) -> tuple[int, int, int]:
    """Return (1, 20, 2) for "1.20.2" or "v1.20.2-rc.1". Raise ValueError for what is no version."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    if not found:
        raise ValueError(f"{version!r} is no version of Cilium: write it like 1.20.2")
    major, minor_, patch = (int(each or 0) for each in found.groups())
    return major, minor_, patch


def minor(version: str) -> tuple[int, int]:
    """Return (1, 20) for "1.20.2". Raise ValueError for what is no version."""
    return parts(version)[:2]


def flavour(version: str) -> Flavour:
    """Return the row of the version; older ones are as the oldest row, newer ones as the newest."""
    return _TABLE[min(max(minor(version), min(_TABLE)), max(_TABLE))]


def host_port(host: str, port: int) -> str:
    """Return both as they stand in a URL, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address(text: Any) -> str:
    """Return an IP address as Python writes it, "" for what is none."""
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        return ""
