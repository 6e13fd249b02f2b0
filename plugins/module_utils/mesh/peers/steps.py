# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who owns a key of a Secret or ConfigMap, and the bodies that write, remove and restore our keys. Pure.

An annotation of Secret cilium-kvstoremesh records when a peer was removed, because of KVStoreMesh's drain grace period.
Cilium before 1.20 needs names of peers given by ips in the pods of clustermesh-apiserver: hostAliases.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from ...kubernetes.manifests import Manifest, owned_fields
from ..chart import DEPLOYMENT
from .entries import Peer

REMOVED_AT = "cilium-clustermesh-ansible/removed-at"
DRAIN_SECONDS = 180  # KVStoreMesh keeps what it knew of a removed peer for so long
_TIME = "%Y-%m-%dT%H:%M:%SZ"
Marks = dict[str, datetime]  # when each peer was removed
Pairs = set[tuple[str, str]]  # ip, hostname
_ALIASES = ("f:spec", "f:template", "f:spec", "f:hostAliases")
_API = {"Secret": "v1", "ConfigMap": "v1", "Deployment": "apps/v1"}


class Step(NamedTuple):
    """One write: the body of a server-side apply, or of a merge patch that removes keys which others own."""

    body: Manifest
    merge: bool = False

    @property
    def kind(self) -> str:
        """Return the kind of the object."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Return the name of the object."""
        return str(self.body["metadata"]["name"])


class Aim(NamedTuple):
    """What one object is to get and to lose; values are plain bytes."""

    kind: str
    name: str
    live: Manifest | None
    put: dict[str, bytes]
    remove: frozenset[str] = frozenset()


def contents(live: Manifest | None) -> dict[str, bytes]:
    """Return the plain values of a Secret or ConfigMap by key."""
    data = (live or {}).get("data") or {}
    if (live or {}).get("kind") == "Secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    return {key: value.encode() for key, value in data.items()}


def owned(live: Manifest | None, manager: str) -> dict[str, bytes]:
    """Return the plain values of the keys that the manager applied."""
    fields = (owned_fields(live, manager) or {}) if live else {}
    return {key: value for key, value in contents(live).items() if f"f:{key}" in fields.get("f:data", {})}


def others(live: Manifest | None, manager: str, *path: str) -> list[str]:
    """Return who else manages the field at a path of fieldsV1, sorted."""
    found = set()
    for entry in ((live or {}).get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            continue
        fields = entry.get("fieldsV1") or {}
        for part in path:
            fields = fields.get(part)
            if fields is None:
                break
        else:
            found.add(str(entry.get("manager")))
    return sorted(found)


def conflict(key: str, kind: str, name: str, managers: Iterable[str]) -> str:
    """Return the refusal to touch what others manage."""
    return (
        f"key '{key}' of {kind} {name} is managed by {', '.join(managers)}; "
        "set clustermesh.config.enabled=false or force_conflicts=true"
    )


def conflicts(aim: Aim, manager: str) -> dict[str, list[str]]:
    """Return the keys to be touched that others manage, and who."""
    touched = sorted({*aim.put, *(aim.remove & contents(aim.live).keys())})
    found = {key: others(aim.live, manager, "f:data", f"f:{key}") for key in touched}
    return {key: managers for key, managers in found.items() if managers}


def removal(aim: Aim, manager: str, annotations: Mapping[str, str]) -> list[Step]:
    """Return the writes that remove keys; none when none is there."""
    there = aim.remove & contents(aim.live).keys()
    if not there:
        return []
    kept = {key: value for key, value in owned(aim.live, manager).items() if key not in aim.remove}
    steps = [Step(body(aim.kind, aim.name, kept, annotations))]
    foreign = [key for key in conflicts(aim, manager) if key in there]
    if foreign:
        steps.append(Step({**body(aim.kind, aim.name, {}), "data": dict.fromkeys(foreign)}, merge=True))
    return steps


def addition(aim: Aim, manager: str, annotations: Mapping[str, str]) -> list[Step]:
    """Return the write that puts keys beside those that are ours already; none when there is nothing to put."""
    if not aim.put:
        return []
    kept = {key: value for key, value in owned(aim.live, manager).items() if key not in aim.remove}
    return [Step(body(aim.kind, aim.name, {**kept, **aim.put}, annotations))]


def body(kind: str, name: str, data: Mapping[str, bytes], annotations: Mapping[str, str] | None = None) -> Manifest:
    """Return a manifest of plain values, its keys sorted."""
    made: Manifest = {"apiVersion": _API[kind], "kind": kind, "metadata": {"name": name}}
    if annotations:
        made["metadata"]["annotations"] = dict(annotations)
    if data:
        coded = {key: base64.b64encode(data[key]) if kind == "Secret" else data[key] for key in sorted(data)}
        made["data"] = {key: value.decode() for key, value in coded.items()}
    return made


def undo(step: Step, before: Manifest, manager: str) -> Manifest:
    """Return the apply that sets back what a step wrote or removed, from the object as it was before."""
    touched = {*owned(before, manager), *(step.body.get("data") or {})}
    data = {key: value for key, value in contents(before).items() if key in touched}
    return body(step.kind, step.name, data, removal_annotation(read_removals(before)))


def read_removals(live: Manifest | None) -> Marks:
    """Return what the annotation says; nothing where somebody wrote something else there."""
    text = (((live or {}).get("metadata") or {}).get("annotations") or {}).get(REMOVED_AT, "{}")
    try:
        return {name: datetime.strptime(at, _TIME).replace(tzinfo=UTC) for name, at in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def removal_annotation(marks: Mapping[str, datetime]) -> dict[str, str]:
    """Return the annotation; none without a mark."""
    return {REMOVED_AT: json.dumps({name: f"{marks[name]:{_TIME}}" for name in sorted(marks)})} if marks else {}


def update_removals(
    marks: Marks, removed: Iterable[str], added: Iterable[str], now: datetime
) -> tuple[Marks, list[str]]:
    """Return the marks after this run, and warnings about the drain grace periods of peers that join or leave."""
    left = {name: DRAIN_SECONDS - max(int((now - at).total_seconds()), 0) for name, at in marks.items()}
    warnings = [
        f"peer '{name}' joins again during the drain grace period of KVStoreMesh: it may take {left[name]} s longer"
        for name in sorted({*added} & left.keys())
        if left[name] > 0
    ]
    removed = sorted(removed)
    if removed:
        names = ", ".join(removed)
        step = f"do not add it again within {DRAIN_SECONDS} s"
        warnings.append(f"drain grace period of KVStoreMesh for {names}: {step}")
    kept = {name: at for name, at in marks.items() if left[name] > 0 and name not in added}
    return kept | dict.fromkeys(removed, now), warnings


class Aliases(NamedTuple):
    """What the Deployment has to become: its write (None without need), why not, and the hostnames that change."""

    step: Step | None
    refusals: list[str]
    hostnames: frozenset[str]


def _pairs(deployment: Manifest) -> Pairs:
    """Return ip and hostname of each alias that the pods have."""
    items = deployment["spec"]["template"]["spec"].get("hostAliases") or []
    return {(item["ip"], hostname) for item in items for hostname in item.get("hostnames") or []}


def _owned_pairs(deployment: Manifest, manager: str) -> Pairs:
    fields = owned_fields(deployment, manager) or {}
    for part in _ALIASES:
        fields = fields.get(part) or {}
    ips = {json.loads(key.removeprefix("k:"))["ip"] for key in fields if key.startswith("k:")}
    return {pair for pair in _pairs(deployment) if pair[0] in ips}


def plan_aliases(
    deployment: Manifest, wanted: Iterable[Peer], settled: Callable[[str], bool], manager: str, force: bool
) -> Aliases:
    """Compare with the peers that need aliases; settled says of a hostname whether only they may have it."""
    live, mine = _pairs(deployment), _owned_pairs(deployment, manager)
    asked = {(ip, peer.hostname) for peer in wanted for ip in peer.ips}
    ours = {pair for pair in mine if not settled(pair[1])} | asked
    refusals = []
    for ip in sorted({ip for ip, _hostname in asked - live}):
        managers = others(deployment, manager, *_ALIASES, f"k:{json.dumps({'ip': ip}, separators=(',', ':'))}")
        if managers and not force:
            refusals.append(conflict(f"hostAliases {ip}", "Deployment", DEPLOYMENT, managers))
    changes = (asked - live) | (mine - ours)
    made = body("Deployment", DEPLOYMENT, {})
    if ours:
        made["spec"] = {"template": {"spec": {"hostAliases": host_aliases(ours)}}}
    return Aliases(Step(made) if changes else None, refusals, frozenset(hostname for _ip, hostname in changes))


def host_aliases(pairs: Pairs) -> list[dict[str, object]]:
    """Return hostAliases of a pod, sorted; peers behind one address share an item."""
    return [
        {"ip": ip, "hostnames": sorted(hostname for other, hostname in pairs if other == ip)}
        for ip in sorted({ip for ip, _hostname in pairs})
    ]
