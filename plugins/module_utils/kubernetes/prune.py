# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Apply a set of objects and remove what left the set. Private: it may change without notice."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from . import inventory, manifests
from .apply import Applier, Change, refuse
from .client import ApiError
from .kubeconfig import CONNECTIONS
from .manifests import Manifest
from .reader import key, read


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
        prepared = self.prepared(inventory.labelled(each, self.label) for each in wanted)
        members = set(map(inventory.entry, prepared))
        live = self.cluster.get(self.path(inventory.record(self.label)))
        known = inventory.entries(live)
        if not members <= known:
            self._ahead = inventory.record(self.label, known | members)
        changes = self.in_stages(prepared)
        left = [each for each in self._read(known - members) if inventory.is_ours(each, self.label, self.manager)]
        stay = [each for each in left if each["kind"] in inventory.DATA and not self.data]
        self.kept = sorted(map(manifests.name_of, stay))
        removed = [Change(each, "removed", each) for each in left if each not in stay]
        if not self.check:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(self._delete, removed))
            refuse(removed)
        return [
            *changes,
            *removed,
            self._note(inventory.record(self.label, members | set(map(inventory.entry, stay))), live),
        ]

    def write(self, due: list[Change], pool: ThreadPoolExecutor) -> None:
        """Note what joins the set before the first of it is made: a run that is killed then leaves nothing unknown."""
        if self._ahead:
            ahead, self._noted, self._ahead = Change(self._ahead), self._ahead, None
            self.patch(ahead)
            refuse([ahead])
        super().write(due, pool)

    def _read(self, entries: set[inventory.Entry]) -> list[Manifest]:
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
