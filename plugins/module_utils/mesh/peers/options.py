# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check what is asked of a cluster's peers and find what is to be done with each. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from .entries import Peer

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?")
_PORT = 2379


def findings(asked: list[dict[str, Any]], own: str, own_id: int, dial: str, names_only: bool) -> list[str]:
    """Return all that is wrong with the option peers, in its order; names_only is enough for a removal."""
    found: list[str] = []
    names, ids = {}, {own_id: own} if own_id else {}
    for number, item in enumerate(asked, 1):
        name = item.get("name")
        if not isinstance(name, str) or len(name) > 32 or not _NAME.fullmatch(name):
            found.append(
                f"peer {number}: name {name!r} is invalid: at most 32 lower-case alphanumerics or '-', "
                "beginning and ending with an alphanumeric"
            )
            continue
        if name in names:
            found.append(f"peer '{name}' is listed twice: remove one")
        names[name] = item
        if not names_only and name != own:
            found += _id(name, item.get("id"), ids)
            if item.get("enabled", True):
                found += [f"peer '{name}': {text}" for text in _endpoint(item.get("endpoint") or {}, dial)]
    return found


def _id(name: str, number: Any, ids: dict[int, str]) -> list[str]:
    if not _in_range(number, 511):
        return [f"peer '{name}': id {number} is outside 1..511"]
    other = ids.setdefault(int(number), name)
    return [] if other == name else [f"'{other}' and '{name}' both have id {number}: ids are unique in the mesh"]


def _endpoint(endpoint: Any, dial: str) -> list[str]:
    found: list[str] = []
    if not isinstance(endpoint, dict):
        return [f"endpoint {endpoint!r} is no mapping of ips, address and port"]
    ips, address, port = endpoint.get("ips") or [], endpoint.get("address") or "", endpoint.get("port") or _PORT
    if not ips and not address:
        found.append("it has no endpoint: give endpoint.ips or endpoint.address")
    elif dial == "aliases" and not ips:
        found.append("dial=aliases needs endpoint.ips")
    found += [f"endpoint.ips holds {ip!r}, which is no IP address" for ip in ips if not _is_ip(ip)]
    if address and not _is_ip(address) and not _DNS.fullmatch(str(address)):
        found.append(f"endpoint.address {address!r} is no DNS name or IP address")
    if not _in_range(port, 65535):
        found.append(f"endpoint.port {port} is outside 1..65535")
    return found


def _in_range(number: Any, highest: int) -> bool:
    try:
        return 1 <= int(number) <= highest
    except (TypeError, ValueError):
        return False


def _is_ip(text: Any) -> bool:
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return True


def mismatch(name: str, number: int, expected: tuple[str | None, int | None], asked: Iterable[dict[str, Any]]) -> str:
    """Return who was expected behind the kubeconfig, "" if it is the cluster found (name, number).

    The list of peers tells it as well where it holds an entry of this name.
    """
    listed = next((int(item["id"]) for item in asked if item.get("name") == name and _in_range(item.get("id"), 511)), 0)
    wanted_name, wanted_number = expected[0] or name, expected[1] or listed or number
    if (wanted_name, wanted_number) == (name, number):
        return ""
    return f"'{wanted_name}' (id {wanted_number})"


def wanted(asked: Iterable[dict[str, Any]], own: str, dial: str, domain: str) -> list[Peer]:
    """Return what to dial of each enabled peer, by name; own entries are left out. Checked by findings before."""
    kept = [item for item in asked if item.get("enabled", True) and item["name"] != own]
    return sorted(_peer(item["name"], item["endpoint"], dial, domain) for item in kept)


def _peer(name: str, endpoint: dict[str, Any], dial: str, domain: str) -> Peer:
    ips = tuple(map(str, endpoint.get("ips") or []))
    address, port = endpoint.get("address") or "", int(endpoint.get("port") or _PORT)
    if dial == "aliases" or (dial == "auto" and not address):
        hostname = f"{name}.{domain}"
        return Peer(name, (_url(hostname, port),), hostname, ips)
    return Peer(name, tuple(_url(host, port) for host in ([address] if address else ips)))


def _url(host: str, port: int) -> str:
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
