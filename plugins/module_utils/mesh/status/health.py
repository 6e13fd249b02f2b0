# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether packets reach the peers' nodes, pods and endpoints now. Pure.

cilium-health probes by itself, but each address only about once a minute, and says the old answer in between; so the
nodes that the agent knows are asked for, and each gets a new connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..chart import host_port

LIST = ["cilium-dbg", "node", "list", "-o", "json"]
_PORT = 4240
_SECONDS = 3
# So many nodes of a peer stand for all of them.
_NODES = 8
# Prints each host/port that takes a connection; the others are still being waited for when the time is over.
_SCRIPT = 'for at; do { exec 3<>"/dev/tcp/$at" && echo "$at"; } 2>/dev/null & done; wait'


class Target(NamedTuple):
    """A host and port that takes connections when packets pass, and what is there in words."""

    words: str
    host: str
    port: int = _PORT

    @property
    def at(self) -> str:
        """As bash names it below /dev/tcp."""
        return f"{self.host}/{self.port}"


def targets(text: str, peers: Iterable[str]) -> dict[str, list[Target]]:
    """Return what to connect to by peer, from the output of LIST in one agent: nodes, and on each the pod to be probed.

    Agents may run without that pod. Further addresses are left out: an external one need not be reachable.
    Raise ValueError for what is no such output.
    """
    nodes: dict[str, list[dict[str, Any]]] = {}
    for node in json.loads(text) or []:
        nodes.setdefault(node["name"].partition("/")[0], []).append(node)
    return {peer: [target for node in nodes.get(peer, [])[:_NODES] for target in _of(node)] for peer in sorted(peers)}


def endpoints(records: Iterable[dict[str, Any]]) -> dict[str, list[Target]]:
    """Return where the clustermesh-apiserver of each record may be found, by the record's name."""
    return {record["name"]: [*_ends(**record["endpoint"])] for record in records}


def command(wanted: dict[str, list[Target]]) -> list[str]:
    """Return the command that prints which targets answer."""
    return [
        "timeout",
        str(_SECONDS),
        "bash",
        "-c",
        _SCRIPT,
        "probe",
        *(each.at for all_ in wanted.values() for each in all_),
    ]


def judge(wanted: dict[str, list[Target]], printed: str) -> dict[str, dict[str, Any]]:
    """Return reachable and reason of each peer: all of its targets must have answered."""
    answered, found = {*printed.split()}, {}
    for peer, places in wanted.items():
        lacks = [
            f"{each.words} ({each.host}) does not answer within {_SECONDS} s"
            for each in places
            if each.at not in answered
        ]
        reason = "; ".join(lacks) if places else "no node of it is known"
        found[peer] = {"reachable": not reason, "reason": reason}
    return found


def dialled(wanted: dict[str, list[Target]], printed: str) -> dict[str, dict[str, Any]]:
    """Return reachable and reason of each peer: one of its targets must have answered."""
    answered, found = {*printed.split()}, {}
    for peer, places in wanted.items():
        reachable = any(each.at in answered for each in places)
        words = ", ".join(each.words for each in places) or "an endpoint without address"
        reason = "" if reachable else f"no connection to {words} within {_SECONDS} s"
        found[peer] = {"reachable": reachable, "reason": reason}
    return found


def _of(node: dict[str, Any]) -> list[Target]:
    places = (("primary-address", "node"), ("health-endpoint-address", "pod of node"))
    found = [(words, _ip(node.get(place) or {})) for place, words in places]
    return [Target(f"{words} {node['name']}", ip) for words, ip in found if ip]


def _ip(address: dict[str, Any]) -> str:
    return next((found for family in ("ipv4", "ipv6") if (found := (address.get(family) or {}).get("ip"))), "")


def _ends(ips: Iterable[str] = (), address: str = "", port: int = 0, **_others: Any) -> Iterator[Target]:
    for host in filter(None, (*ips, address)):
        yield Target(host_port(host, port), host, port)
