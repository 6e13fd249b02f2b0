# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What belongs to a set of objects, as a record in the cluster says, and what of it may be removed.

The record names each object once, as Flux's inventory does: a run that removes nothing reads one object, and no kind
is listed that holds nothing of ours (kubectl's ApplySet notes kinds and lists each of them in every run).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

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


def finding(label: str, manifests: Sequence[Manifest]) -> str:
    """Return what is wrong with the label, or with pruning to these manifests; nothing if all is well."""
    if not _LABEL.fullmatch(label):
        return f"prune_label '{label}' is no key=value with a value in small letters, such as example.org/set=team"
    if not manifests:
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
