# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Apply a set of objects, whose members a record in the cluster names, and remove what left the set.

The record names each object once, as Flux's inventory does: a run that removes nothing reads one object, and no kind
is listed that holds nothing of ours (kubectl's ApplySet notes kinds and lists each of them in every run).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from . import manifests
from .apply import Applier, Change, key, read, refuse
from .client import CONNECTIONS, ApiError
from .manifests import Manifest

NAMESPACE = "kube-system"  # of the record: every cluster has it
# Removing one of these takes away what nobody can make again from the manifests.
DATA = ("CustomResourceDefinition", "Namespace", "PersistentVolumeClaim", "Secret")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL = re.compile(rf"(?:[a-z0-9][a-z0-9.-]*/)?{_NAME}=[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?")


class Entry(NamedTuple):
    """An object as the record names it: without version, which an API server may stop to serve."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the entry's line in the record."""
        return f"{'.'.join(part for part in (self.kind, self.group) if part)}/{self.namespace}/{self.name}"


def entry(manifest: Manifest) -> Entry:
    """Return the entry of an object."""
    group, _slash, _version = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    return Entry(group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def finding(label: str, wanted: Sequence[Manifest]) -> str:
    """Return what is wrong with the label, or with pruning to these manifests; nothing if all is well."""
    if not _LABEL.fullmatch(label):
        return f"prune_label '{label}' is no key=value with a value in small letters, such as example.org/set=team"
    if not wanted:
        return f"there are none, and prune_label {label} would remove all that it was put on: give at least one"
    return ""


def labelled(manifest: Manifest, label: str) -> Manifest:
    """Return a copy with the label."""
    key, _equals, value = label.partition("=")
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), key: value}}}


def record(label: str, entries: Iterable[Entry] = ()) -> Manifest:
    """Return the ConfigMap that names the objects which have the label."""
    value = label.partition("=")[2]
    name = f"applied-{value}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    data = {"label": label, "objects": "\n".join(sorted(map(str, entries))) + "\n"}
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}}
    return labelled({**head, "data": data}, label)


def entries(live: Manifest | None) -> set[Entry]:
    """Return what a record names; nothing if there is no record."""
    lines = ((live or {}).get("data") or {}).get("objects", "").split()
    parts = [line.split("/") for line in lines]
    return {Entry(kind.partition(".")[2], kind.partition(".")[0], space, name) for kind, space, name in parts}


def is_ours(live: Manifest, label: str, manager: str) -> bool:
    """Whether an object still has the label and fields that the manager applied, and is not going away already."""
    key, _equals, value = label.partition("=")
    metadata = live["metadata"]
    applied = [
        each
        for each in metadata.get("managedFields") or []
        if (each.get("manager"), each.get("operation")) == (manager, "Apply") and not each.get("subresource")
    ]
    return bool(applied) and (metadata.get("labels") or {}).get(key) == value and "deletionTimestamp" not in metadata


@dataclass
class Pruner(Applier):
    """Applies manifests as one set, whose objects have the label."""

    label: str = ""
    data: bool = False  # whether objects that hold data may be removed
    kept: list[str] = field(default_factory=list)  # after apply: what only data would remove
    _ahead: Manifest | None = None  # the record to write before anything else
    _noted: Manifest | None = None  # the record that this run wrote

    def apply(self, wanted: Iterable[Manifest]) -> list[Change]:
        """Apply all, then remove what left the set and note what is in it. Raise Refused as Applier does."""
        prepared = self.prepared(labelled(each, self.label) for each in wanted)
        members = set(map(entry, prepared))
        live = self.cluster.get(self.path(record(self.label)))
        known = entries(live)
        if not members <= known:
            self._ahead = record(self.label, known | members)
        changes = self.in_stages(prepared)
        left = [each for each in self._read(known - members) if is_ours(each, self.label, self.manager)]
        stay = [each for each in left if each["kind"] in DATA and not self.data]
        self.kept = sorted(map(manifests.name_of, stay))
        removed = [Change(each, "removed", each) for each in left if each not in stay]
        if not self.check:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(self._delete, removed))
            refuse(removed)
        return [
            *changes,
            *removed,
            self._note(record(self.label, members | set(map(entry, stay))), live),
        ]

    def write(self, due: list[Change], pool: ThreadPoolExecutor) -> None:
        """Note what joins the set before the first of it is made: a run that is killed then leaves nothing unknown."""
        if self._ahead:
            ahead, self._noted, self._ahead = Change(self._ahead), self._ahead, None
            self.patch(ahead)
            refuse([ahead])
        super().write(due, pool)

    def _read(self, entries: set[Entry]) -> list[Manifest]:
        """Return the live objects of some entries, in the record's order."""
        served = {(api.rpartition("/")[0], kind): api for api, kind in reversed(self.resources)}
        found = [
            {
                "apiVersion": served[each.group, each.kind],
                "kind": each.kind,
                "metadata": {"namespace": each.namespace, "name": each.name},
            }
            for each in sorted(entries)
            if (each.group, each.kind) in served
        ]
        live = read(self.cluster, self.resources, found)
        return [live[key(each)] for each in found if key(each) in live]

    def _delete(self, change: Change) -> None:
        """Delete one object unless another took its place since it was read."""
        options = {"preconditions": {"uid": change.wanted["metadata"]["uid"]}, "propagationPolicy": "Background"}
        try:
            self.cluster.request("DELETE", self.path(change.wanted), body=options)
        except ApiError as error:
            if error.status != 404:
                change.finding = f"{manifests.name_of(change.wanted)} is not removed: {error}"

    def _note(self, record: Manifest, live: Manifest | None) -> Change:
        """Bring the record to what is in the set now."""
        change = self.judge(record, live)
        if change.action != "unchanged" and not self.check and record != self._noted:
            self.patch(change)
        refuse([change])
        return change
