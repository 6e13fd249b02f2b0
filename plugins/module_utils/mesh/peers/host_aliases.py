# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Names of peers in the pods of clustermesh-apiserver, which Cilium before 1.20 needs for peers given by ips. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...kubernetes.managed_fields import owned_fields
from ...kubernetes.manifests import Manifest
from ..chart import DEPLOYMENT
from .entries import Peer
from .steps import Step, body, conflict, others

_PATH = ("f:spec", "f:template", "f:spec", "f:hostAliases")
_KEY = "k:"
Pairs = set[tuple[str, str]]  # ip, hostname


class Aliases(NamedTuple):
    """What the Deployment has to become: its write (None without need), why not, and the hostnames that change."""

    step: Step | None
    refusals: list[str]
    hostnames: frozenset[str]


def live_pairs(deployment: Manifest) -> Pairs:
    """Return ip and hostname of each alias that the pods have."""
    items = deployment["spec"]["template"]["spec"].get("hostAliases") or []
    return {(item["ip"], hostname) for item in items for hostname in item.get("hostnames") or []}


def _owned(deployment: Manifest, manager: str) -> Pairs:
    fields = owned_fields(deployment, manager) or {}
    for part in _PATH:
        fields = fields.get(part) or {}
    ips = {json.loads(key.removeprefix(_KEY))["ip"] for key in fields if key.startswith(_KEY)}
    return {pair for pair in live_pairs(deployment) if pair[0] in ips}


def plan(
    deployment: Manifest, wanted: Iterable[Peer], settled: Callable[[str], bool], manager: str, force: bool
) -> Aliases:
    """Compare with the peers that need aliases; settled says of a hostname whether only they may have it."""
    live, mine = live_pairs(deployment), _owned(deployment, manager)
    asked = {(ip, peer.hostname) for peer in wanted for ip in peer.ips}
    ours = {pair for pair in mine if not settled(pair[1])} | asked
    refusals = []
    for ip in sorted({ip for ip, _hostname in asked - live}):
        managers = others(deployment, manager, *_PATH, f"{_KEY}{json.dumps({'ip': ip}, separators=(',', ':'))}")
        if managers and not force:
            refusals.append(conflict(f"hostAliases {ip}", "Deployment", DEPLOYMENT, managers))
    changes = (asked - live) | (mine - ours)
    return Aliases(_step(ours) if changes else None, refusals, frozenset(hostname for _ip, hostname in changes))


def _step(ours: Pairs) -> Step:
    """Return the write that leaves exactly these aliases ours; peers behind one address share an item."""
    made = body("Deployment", DEPLOYMENT, {})
    if ours:
        made["spec"] = {"template": {"spec": {"hostAliases": items(ours)}}}
    return Step(made)


def items(pairs: Pairs) -> list[dict[str, object]]:
    """Return hostAliases of a pod, sorted."""
    return [
        {"ip": ip, "hostnames": sorted(hostname for other, hostname in pairs if other == ip)}
        for ip in sorted({ip for ip, _hostname in pairs})
    ]
