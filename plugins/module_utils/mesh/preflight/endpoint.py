# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether peers can dial each cluster: address, port, what was seen of it, and the name in its server certificate."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

from ...findings import Finding
from ..chart import DOMAIN, flavour
from .messages import Record, finding


def findings(records: list[Record]) -> Iterator[Finding]:
    """Yield what is wrong."""
    for record in records:
        endpoint = record["endpoint"]
        if endpoint["type"] == "ClusterIP":
            yield finding("CLUSTERIP", [record], name=record["name"])
        elif not _announced(record):
            yield finding("NO_ENDPOINT", [record], name=record["name"], type=endpoint["type"])
        else:
            yield from _san(record)
    yield from _seen(records)
    for one, other in itertools.combinations(records, 2):
        who = {"one": one["name"], "other": other["name"]}
        if _clash(one, other):
            yield finding("NODEPORT_CLASH", [one, other], **who, port=one["endpoint"]["port"])
        for endpoint in _announced(one) & _announced(other):
            yield finding("ENDPOINT_DUP", [one, other], **who, endpoint=endpoint)


def _seen(records: list[Record]) -> Iterator[Finding]:
    """What an agent tried; records hold it of peers without an entry only."""
    for one, other in itertools.permutations(records, 2):
        tried = (one.get("reach") or {}).get(other["name"])
        if tried and not tried["reachable"]:
            yield finding("UNREACHABLE", [one, other], name=one["name"], peer=other["name"], reason=tried["reason"])


def canonical(host: str) -> str:
    """Return the one way to write an IP address or a DNS name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().rstrip(".")


def covers(san: str, host: str) -> bool:
    """Return whether a name in a certificate is the host's; a leading * is one label of a DNS name."""
    san, host = canonical(san), canonical(host)
    label, _, parent = host.partition(".")
    return san == host or (san.startswith("*.") and bool(label) and san[2:] == parent)


def _announced(record: Record) -> set[str]:
    """Return every host:port at which peers may find the cluster; none without a port."""
    endpoint = record["endpoint"]
    hosts = [canonical(host) for host in (*endpoint["ips"], endpoint["address"]) if host]
    return {_joined(host, endpoint["port"]) for host in hosts if endpoint["port"]}


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _clash(one: Record, other: Record) -> bool:
    """Kube-proxy replacement took a node port of a remote node for its own."""
    ends = (one["endpoint"], other["endpoint"])
    if any(end["type"] != "NodePort" for end in ends) or ends[0]["port"] != ends[1]["port"]:
        return False
    return any(
        each["kube_proxy_replacement"] and flavour(each["version"]).nodeport_must_differ for each in (one, other)
    )


def _san(record: Record) -> Iterator[Finding]:
    """Peers that dial IP addresses verify an alias; whoever dials an address verifies that."""
    server = record["tls"]["leafs"].get("server")
    endpoint = record["endpoint"]
    host = endpoint["address"] or f"{record['name']}.{DOMAIN}"
    if server and not any(covers(san, host) for san in server["sans"]):
        dialled = _joined(host, endpoint["port"])
        yield finding("SAN_MISSING", [record], name=record["name"], san=host, endpoint=dialled)
