# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Addresses, address ranges and endpoints as text, and which ranges may overlap. Pure."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Range:
    """A range of addresses. kind: pod, service or machine; owner: name of the cluster or node."""

    kind: str
    owner: str
    variable: str
    net: Network


def clashes(ranges: Iterable[Range]) -> Iterator[tuple[Range, Range]]:
    """Pairs that overlap and must not; the first of a pair is the one to change.

    The Services of two clusters may overlap: their addresses are virtual. So may nodes that share a network.
    """
    for one, other in itertools.combinations(ranges, 2):
        if one.kind == other.kind == "machine" or (one.kind == other.kind == "service"):
            continue
        if one.net.version == other.net.version and one.net.overlaps(other.net):
            yield (other, one) if other.kind != "machine" else (one, other)


def network(value: Any) -> Network | None:
    """The network that `value` denotes; None when it is not one, or has host bits set."""
    try:
        return ipaddress.ip_network(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def suggestion(value: Any) -> str:
    """The next step for a value that is not a network."""
    try:
        near = ipaddress.ip_network(value, strict=False) if "/" in value else None
    except (TypeError, ValueError):
        near = None
    return f"Host bits are set: did you mean {near}?" if near else "Write a network such as 10.1.0.0/16."


def address_of(value: Any) -> Any:
    """The IP address that `value` denotes, or None."""
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def split_endpoint(endpoint: Any) -> tuple[str, int]:
    """Host and port of "host:port"; the text itself and port 0 when it is not an endpoint."""
    host, _, port = str(endpoint).rpartition(":")
    valid = host and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536
    return (host, int(port)) if valid else (str(endpoint), 0)
