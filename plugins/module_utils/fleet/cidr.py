# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Address ranges and which of them may overlap. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Range:
    """A range of addresses. kind: pod, service or machine; owner: the cluster's or machine's name."""

    kind: str
    owner: str
    variable: str
    net: Network


def clashes(ranges: Iterable[Range]) -> Iterator[tuple[Range, Range]]:
    """Pairs that must not overlap but do; the first of a pair is the one to change.

    Services of two clusters may overlap, they are virtual in each; so may two machines on one bridge.
    """
    for one, other in itertools.combinations(ranges, 2):
        if one.kind == other.kind == "machine" or (one.kind == other.kind == "service"):
            continue
        if one.net.version == other.net.version and one.net.overlaps(other.net):
            yield (other, one) if other.kind != "machine" else (one, other)


def network(value: Any) -> Network | None:
    """The network that `value` is, or None (also when bits of the host part are set)."""
    try:
        return ipaddress.ip_network(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def suggestion(value: Any) -> str:
    """The next step for a value that is no network."""
    try:
        near = ipaddress.ip_network(value, strict=False) if "/" in value else None
    except (TypeError, ValueError):
        near = None
    return f"Host bits are set: did you mean {near}?" if near else "Write a network such as 10.1.0.0/16."


def address_of(value: Any) -> Any:
    """The IP address that `value` is, or None."""
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
