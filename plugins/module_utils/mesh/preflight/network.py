# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether packets find their way between clusters: ranges, node addresses, datapath, encryption, MTU."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator

from ...findings import Finding
from ..record.build import Network, collapse
from .messages import Record, finding, grouped, listed, quoted

# Bytes that Cilium adds to a packet (cilium pkg/mtu/mtu.go); it takes them off the MTU of its chart itself.
TUNNEL_OVERHEAD = 50
ENCRYPTION_OVERHEAD = {"wireguard": 80, "ipsec": 77}


def findings(records: list[Record], underlay_mtu: int) -> Iterator[Finding]:
    """Yield what is wrong; underlay_mtu: bytes of a packet between nodes, 0 = not known."""
    yield from _addresses(records)
    yield from _unreached(records)
    yield from _datapath(records)
    yield from _encryption(records)
    yield from _mtu(records, underlay_mtu)


def networks(cidrs: Iterable[str]) -> list[Network]:
    """Return the ranges with neighbours joined."""
    return list(_joined(tuple(cidrs)))


# Each cluster's ranges are compared with those of all others.
@functools.cache
def _joined(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(collapse(cidrs))


def _overlaps(ones: list[str], others: list[str]) -> list[tuple[Network, Network]]:
    pairs = itertools.product(networks(ones), networks(others))
    return [(one, other) for one, other in pairs if one.version == other.version and one.overlaps(other)]


def _addresses(records: list[Record]) -> Iterator[Finding]:
    """Pods and nodes keep their addresses between clusters; services do not, so those of two may overlap."""
    for one, other in itertools.combinations(records, 2):
        who = {"one": one["name"], "other": other["name"]}
        for mine, theirs in _overlaps(one["pod_cidrs"], other["pod_cidrs"]):
            yield finding("CIDR_OVERLAP", [one, other], **who, cidr=mine, other_cidr=theirs)
        for ip in set(one["node_ips"]) & set(other["node_ips"]):
            yield finding("NODE_IP_DUP", [one, other], **who, ip=ip)
    for one, other in itertools.permutations(records, 2):
        for mine, theirs in _overlaps(one["pod_cidrs"], other["service_cidrs"]):
            who = {"one": one["name"], "other": other["name"]}
            yield finding("SVC_POD_OVERLAP", [one, other], **who, cidr=mine, other_cidr=theirs)


def _unreached(records: list[Record]) -> Iterator[Finding]:
    """What nodes tried; records hold it of peers without an entry only."""
    for one, other in itertools.permutations(records, 2):
        if tried := (one.get("unreached") or {}).get(other["name"]):
            who = {"name": one["name"], "peer": other["name"], "ip": other["node_ips"][0]}
            nodes = ", ".join(f"{node} ({reason})" for node, reason in sorted(tried.items()))
            yield finding("NODES_UNREACHED", [one, other], **who, nodes=nodes)


def _mode(record: Record) -> str:
    """Cilium writes protocol and port also where no tunnel uses them."""
    path = record["datapath"]
    if path["routing_mode"] == "native":
        return "native"
    return f"{path['routing_mode']}/{path['tunnel_protocol']}/{path['tunnel_port']}"


def _datapath(records: list[Record]) -> Iterator[Finding]:
    modes = grouped(records, _mode)
    if len(modes) > 1:
        yield finding("DATAPATH", records, values=listed(modes))
    for record, other in itertools.product(modes.get("native", []), repeat=2):
        native = networks(filter(None, [record["datapath"]["native_cidr"]]))
        pods = [each for each in networks(other["pod_cidrs"]) if each.version == 4]
        outside = [str(each) for each in pods if not any(v4.version == 4 and each.subnet_of(v4) for v4 in native)]
        if outside:
            cidrs = f"{', '.join(outside)} of '{other['name']}'"
            shown = record["datapath"]["native_cidr"] or "(not set)"
            yield finding("NATIVE_CIDR", [record, other], native=shown, name=record["name"], cidrs=cidrs)


def _cipher(record: Record) -> str:
    also = " and node encryption" if record["encryption"]["node"] else ""
    return f"{record['encryption']['type']}{also}"


def _encryption(records: list[Record]) -> Iterator[Finding]:
    for (one, ones), (other, others) in itertools.combinations(grouped(records, _cipher).items(), 2):
        words = {"one": one, "ones": quoted(ones), "other": other, "others": quoted(others)}
        yield finding("ENCRYPTION", [*ones, *others], **words)


def _overhead(record: Record) -> int:
    """Bytes that tunnel and encryption add to a packet of a pod."""
    tunnel = 0 if record["datapath"]["routing_mode"] == "native" else TUNNEL_OVERHEAD
    return tunnel + ENCRYPTION_OVERHEAD.get(record["encryption"]["type"], 0)


def _mtu(records: list[Record], underlay_mtu: int) -> Iterator[Finding]:
    """Where it is not set Cilium takes the smallest device's, which a record does not know."""
    known = [record for record in records if record["datapath"]["mtu"]]
    sizes = grouped(known, lambda record: record["datapath"]["mtu"] - _overhead(record))
    if len(sizes) > 1:
        yield finding("MTU", known, what=f"differs: {listed(sizes)}")
    for size, owners in sizes.items():
        for record in owners:
            if underlay_mtu and record["datapath"]["mtu"] > underlay_mtu:
                limit = f"underlay {underlay_mtu} minus {_overhead(record)} overhead"
                yield finding("MTU", [record], what=f"{size} of '{record['name']}' exceeds {limit}")
