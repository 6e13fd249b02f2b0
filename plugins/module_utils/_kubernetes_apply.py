# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Apply manifests server-side, writing only what differs. Private: it may change without notice."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils import _manifests as manifests
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_client import ApiError, Cluster
from ansible_collections.opendata.platform.plugins.module_utils._manifests import Manifest, Resource
from ansible_collections.opendata.platform.plugins.module_utils._ownership import is_current

_WORKERS = 8
_FEW = 4  # up to here one GET an object is cheaper than a list
_LIST_LIMIT = 500  # beyond it the rest of what we own is read by name
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Refused(Exception):
    """Some objects cannot be applied; findings holds a sentence for each, nothing of their stage was written."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


@dataclass
class Change:
    """What apply does, or would do, with one object."""

    wanted: Manifest
    action: str = "unchanged"  # or created, changed
    before: Manifest | None = None
    after: Manifest = field(default_factory=dict)
    finding: str = ""


@dataclass
class Applier:
    """Applies manifests to one cluster as one field manager."""

    cluster: Cluster
    manager: str
    force: bool = False
    check: bool = False
    namespace: str = "default"  # of namespaced objects that name none
    wait_seconds: int = 60  # for CRDs to be established
    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def apply(self, wanted: Iterable[Manifest]) -> list[Change]:
        """Apply all, what others need first. Raise Refused before the first write of a stage with findings."""
        wanted = [manifests.desired(each) for each in wanted]
        self.resources = {**manifests.resources_of_crds(wanted), **self.cluster.discover()}
        findings = [
            f"{manifests.name_of(each)}: the cluster does not know {each['apiVersion']}: install its CRD first"
            for each in wanted
            if (each["apiVersion"], each["kind"]) not in self.resources
        ]
        if findings:
            raise Refused(findings)
        for each in wanted:
            if self._resource(each).namespaced:
                each["metadata"].setdefault("namespace", self.namespace)
        return [change for stage in manifests.stages(wanted) for change in self._stage(stage)]

    def _resource(self, each: Manifest) -> Resource:
        return self.resources[each["apiVersion"], each["kind"]]

    def _stage(self, wanted: list[Manifest]) -> list[Change]:
        live = self._read(wanted)
        with ThreadPoolExecutor(_WORKERS) as pool:
            changes = list(pool.map(lambda each: self._judge(each, live.get(_key(each))), wanted))
            self._refuse(changes)
            if not self.check:
                due = [change for change in changes if change.action != "unchanged"]
                list(pool.map(self._patch, due))
                self._refuse(due)
                self._established(
                    [change.after for change in due if change.wanted["kind"] == "CustomResourceDefinition"]
                )
        return changes

    def _refuse(self, changes: list[Change]) -> None:
        findings = [change.finding for change in changes if change.finding]
        if findings:
            raise Refused(findings)

    def _read(self, wanted: list[Manifest]) -> dict[tuple[str, ...], Manifest]:
        """Read the live objects: each kind once, or by name where we own few or the cluster has very many."""
        live: dict[tuple[str, ...], Manifest] = {}
        groups: dict[tuple[str, str], list[Manifest]] = {}
        for each in wanted:
            groups.setdefault((each["apiVersion"], each["kind"]), []).append(each)
        by_name: list[Manifest] = [each for group in groups.values() if len(group) <= _FEW for each in group]
        with ThreadPoolExecutor(_WORKERS) as pool:
            long = [group for group in groups.values() if len(group) > _FEW]
            for group, (listed, complete) in zip(long, pool.map(self._list, long), strict=True):
                live.update(listed)
                by_name += [] if complete else [each for each in group if _key(each) not in listed]
            for each, found in zip(
                by_name, pool.map(lambda each: self.cluster.get(self._path(each)), by_name), strict=True
            ):
                if found:
                    live[_key(each)] = found
        return live

    def _list(self, group: list[Manifest]) -> tuple[dict[tuple[str, ...], Manifest], bool]:
        """Return the objects of a kind by key, and whether these are all."""
        spaces = {each["metadata"].get("namespace", "") for each in group}
        path = self._resource(group[0]).path(spaces.pop() if len(spaces) == 1 else "")
        try:
            answer = self.cluster.request("GET", path, {"limit": _LIST_LIMIT})
        except ApiError as error:
            if error.status != 404:
                raise
            return {}, True
        kind = {"apiVersion": group[0]["apiVersion"], "kind": group[0]["kind"]}
        found = [{**kind, **item} for item in answer["items"]]
        return {_key(each): each for each in found}, not answer["metadata"].get("continue")

    def _path(self, each: Manifest) -> str:
        return self._resource(each).path(each["metadata"].get("namespace", ""), each["metadata"]["name"])

    def _judge(self, wanted: Manifest, live: Manifest | None) -> Change:
        """Say what is to be done with one object; only a dry run is sent, and only when in doubt."""
        if live is None:
            return Change(wanted, "created", None, wanted)
        if is_current(wanted, live, self.manager):
            return Change(wanted, before=live, after=live)
        change = Change(wanted, "changed", live)
        self._patch(change, dryRun="All")
        if manifests.meaning(change.after) == manifests.meaning(live):
            change.action = "unchanged"
        return change

    def _patch(self, change: Change, **query: Any) -> None:
        query.update(fieldManager=self.manager, force=str(self.force).lower(), fieldValidation="Warn")
        try:
            change.after = self.cluster.request(
                "PATCH", self._path(change.wanted), query, change.wanted, content_type="application/apply-patch+yaml"
            )
        except ApiError as error:
            owners = [
                f"{cause['field']}: {cause['message']}"
                for cause in error.causes
                if cause.get("reason") == "FieldManagerConflict"
            ]
            hint = f"owned by others ({'; '.join(owners)}): take the field out, or apply with force_conflicts"
            change.finding = f"{manifests.name_of(change.wanted)}: {hint if owners else error}"

    def _established(self, crds: list[Manifest]) -> None:
        """Wait until the API server serves the CRDs that were written."""
        names = {each["metadata"]["name"] for each in crds}
        if not names:
            return

        def missing(items: list[Manifest]) -> set[str]:
            return names - {item["metadata"]["name"] for item in items if _condition(item, "Established")}

        if missing(crds):
            well, items = self.cluster.wait(_CRDS, lambda items: not missing(items), self.wait_seconds)
            if not well:
                raise Refused(
                    [f"CRD {name} is not established after {self.wait_seconds} s" for name in sorted(missing(items))]
                )


def _condition(item: Manifest, kind: str) -> bool:
    found = (item.get("status") or {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in found)


def _key(each: Manifest) -> tuple[str, ...]:
    metadata = each["metadata"]
    return each["apiVersion"], each["kind"], metadata.get("namespace", ""), metadata["name"]
