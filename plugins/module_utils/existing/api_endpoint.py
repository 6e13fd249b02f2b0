# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where the nodes of an existing cluster reach its API server. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# Carrier-grade NAT and overlay networks (RFC 6598): addresses that the controller can reach, but nodes cannot.
_SHARED = ipaddress.ip_network("100.64.0.0/10")


class Api(NamedTuple):
    """Host and port for Cilium (port 0: none found), their source, and why the kubeconfig's server was skipped."""

    host: str
    port: int
    source: str
    passed: str = ""


def address_of(server: str) -> tuple[str, int]:
    """Host and port of a server's URL."""
    parts = urlsplit(server)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def unfit(entry: dict[str, Any], addresses: list[str]) -> str:
    """Why nodes cannot use the server of a kubeconfig; empty if they can.

    :param entry: the cluster's entry of the kubeconfig.
    :param addresses: what its host resolves to here; itself, if it is an address; nothing, if the name is unknown.
    """
    host = address_of(entry["server"])[0]
    if entry.get("proxy-url"):
        return "the kubeconfig reaches it through a proxy"
    if entry.get("tls-server-name") not in (None, "", host):
        return f"its certificate is for {entry['tls-server-name']}, so {host} is the end of a tunnel"
    if urlsplit(entry["server"]).path.strip("/"):
        return "its URL has a path, so something else answers in front of it"
    if not addresses:
        return f"the name {host} is unknown here"
    for address in map(ipaddress.ip_address, addresses):
        if address.is_loopback or address.is_unspecified or address.is_link_local:
            return f"{host} is an address of this machine only"
        if address.version == 4 and address in _SHARED:
            return f"{host} is an address of an overlay network"
    return ""


def choose(entry: dict[str, Any], addresses: list[str], endpoints: list[tuple[str, int]]) -> Api:
    """The kubeconfig's server if nodes can use it, else the first endpoint of Service default/kubernetes.

    :param endpoints: addresses and ports of the EndpointSlices of default/kubernetes.
    """
    reason = unfit(entry, addresses)
    if not reason:
        return Api(*address_of(entry["server"]), "the kubeconfig")
    usable = sorted(each for each in endpoints if not ipaddress.ip_address(each[0]).is_loopback)
    if usable:
        return Api(*usable[0], "EndpointSlice default/kubernetes", reason)
    return Api("", 0, "", reason)
