# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read many objects in few requests, and apply manifests server-side, writing only what differs."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from . import health, manifests
from .client import CONNECTIONS, ApiError, Cluster
from .manifests import Manifest, Resource, is_current

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_FEW = 4  # up to here one GET an object is cheaper than a list
_LIST_LIMIT = 500  # beyond it the rest of what we own is read by name

Key = tuple[str, ...]
Resources = dict[tuple[str, str], Resource]


class Refused(Exception):
    """Some objects cannot be applied; findings holds a sentence for each, nothing of their stage was written."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


@dataclass
class Change:
    """What apply does, or would do, with one object."""

    wanted: Manifest
    action: str = "unchanged"  # or created, changed, removed
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
    resources: Resources = field(default_factory=dict)

    def apply(self, wanted: Iterable[Manifest]) -> list[Change]:
        """Apply all, what others need first. Raise Refused before the first write of a stage with findings."""
        return self.in_stages(self.prepared(wanted))

    def prepared(self, wanted: Iterable[Manifest]) -> list[Manifest]:
        """Return what is asked of the server, with namespaces. Raise Refused where it does not know a kind."""
        wanted = [manifests.desired(each) for each in wanted]
        self.resources = {**manifests.resources_of_crds(wanted), **self.cluster.discover()}
        unknown = [each for each in wanted if _kind(each) not in self.resources]
        words = [f"{manifests.name_of(each)}: the cluster does not know {each['apiVersion']}" for each in unknown]
        if words and not self.check:
            raise Refused([f"{each}: install its CRD first" for each in words])
        # In check mode a task before this one may be what installs it.
        self.cluster.warnings += [f"{each} yet: planned without asking it" for each in words]
        for each in wanted:
            if each not in unknown and self.resources[_kind(each)].namespaced:
                each["metadata"].setdefault("namespace", self.namespace)
        return wanted

    def in_stages(self, wanted: list[Manifest]) -> list[Change]:
        """Judge and write what was prepared, stage by stage."""
        live = read(self.cluster, self.resources, [each for each in wanted if _kind(each) in self.resources])
        changes = []
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for stage in manifests.stages(wanted):
                judged = list(pool.map(lambda each: self.judge(each, live.get(key(each))), stage))
                refuse(judged)
                due = [change for change in judged if change.action != "unchanged"]
                if due and not self.check:
                    self.write(due, pool)
                changes += judged
        return changes

    def write(self, due: list[Change], pool: ThreadPoolExecutor) -> None:
        """Write what passed its dry run. Raise Refused when some of it was not taken all the same."""
        list(pool.map(self.patch, due))
        refuse(due)
        self._established([change.after for change in due if change.wanted["kind"] == "CustomResourceDefinition"])

    def path(self, each: Manifest) -> str:
        """Return where the server has an object."""
        return self.resources[_kind(each)].path(each["metadata"].get("namespace", ""), each["metadata"]["name"])

    def judge(self, wanted: Manifest, live: Manifest | None) -> Change:
        """Say what is to be done with one object; only a dry run is sent, and only when in doubt."""
        new = Change(wanted, "created", None, wanted)
        if live is None and (not self.check or _kind(wanted) not in self.resources):
            return new  # a dry run first would make a first run half as long again
        if live and is_current(wanted, live, self.manager):
            return Change(wanted, before=live, after=live)
        change = Change(wanted, "changed", live) if live else new
        self.patch(change, dryRun="All")
        if live and manifests.meaning(change.after) == manifests.meaning(live):
            change.action = "unchanged"
        return change

    def patch(self, change: Change, **query: Any) -> None:
        """Send one object; what the server says against it becomes the change's finding."""
        query = {"force": str(self.force).lower(), "fieldManager": self.manager, "fieldValidation": "Warn", **query}
        path, kind = self.path(change.wanted), "application/apply-patch+yaml"
        try:
            change.after = self.cluster.request("PATCH", path, query, change.wanted, content_type=kind)
        except ApiError as error:
            if self.check and error.status == 404:
                return  # its namespace or CRD is only planned
            conflicts = [each for each in error.causes if each.get("reason") == "FieldManagerConflict"]
            owners = "; ".join(f"{each['field']}: {each['message']}" for each in conflicts)
            hint = f"owned by others ({owners}): take the field out, or apply with force_conflicts"
            change.finding = f"{manifests.name_of(change.wanted)}: {hint if owners else error}"

    def _established(self, crds: list[Manifest]) -> None:
        """Wait until the API server serves the CRDs that were written."""
        names = {each["metadata"]["name"] for each in crds}
        if not names:
            return

        def missing(items: list[Manifest]) -> set[str]:
            return names - {
                item["metadata"]["name"]
                for item in items
                if health.condition(item, "Established").get("status") == "True"
            }

        if missing(crds):
            _well, items = self.cluster.wait(_CRDS, lambda items: not missing(items), self.wait_seconds)
            late = [f"CRD {name} is not established after {self.wait_seconds} s" for name in sorted(missing(items))]
            if late:
                raise Refused(late)


def refuse(changes: list[Change]) -> None:
    """Raise Refused with the findings of all changes, if there are any."""
    findings = [change.finding for change in changes if change.finding]
    if findings:
        raise Refused(findings)


def _kind(each: Manifest) -> tuple[str, str]:
    return each["apiVersion"], each["kind"]


def key(each: Manifest) -> Key:
    """Return what tells an object from all others."""
    metadata = each["metadata"]
    return each["apiVersion"], each["kind"], metadata.get("namespace", ""), metadata["name"]


def read(cluster: Cluster, resources: Resources, wanted: Iterable[Manifest]) -> dict[Key, Manifest]:
    """Return the live objects: each kind listed once, or by name where we own few or the cluster has very many."""
    live: dict[Key, Manifest] = {}
    groups: dict[tuple[str, str], list[Manifest]] = {}
    for each in wanted:
        groups.setdefault(_kind(each), []).append(each)
    few = [each for group in groups.values() if len(group) <= _FEW for each in group]
    many, rest = [group for group in groups.values() if len(group) > _FEW], []

    def listed(group: list[Manifest]) -> tuple[dict[Key, Manifest], bool]:
        return _list(cluster, resources[_kind(group[0])], group)

    def got(each: Manifest) -> Manifest | None:
        path = resources[_kind(each)].path
        return cluster.get(path(each["metadata"].get("namespace", ""), each["metadata"]["name"]))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        first = pool.map(got, few)  # beside the lists
        for group, (found, complete) in zip(many, pool.map(listed, many), strict=True):
            live.update(found)
            rest += [] if complete else [each for each in group if key(each) not in found]
        by_name = zip([*few, *rest], [*first, *pool.map(got, rest)], strict=True)
    live.update({key(each): found for each, found in by_name if found})
    return live


def _list(cluster: Cluster, resource: Resource, group: list[Manifest]) -> tuple[dict[Key, Manifest], bool]:
    """Return the objects of a kind by key, and whether these are all."""
    spaces = {each["metadata"].get("namespace", "") for each in group}
    path = resource.path(spaces.pop() if len(spaces) == 1 else "")
    try:
        answer = cluster.request("GET", path, {"limit": _LIST_LIMIT})
    except ApiError as error:
        if error.status != 404:
            raise
        return {}, True
    kind = {"apiVersion": group[0]["apiVersion"], "kind": group[0]["kind"]}
    found = [{**kind, **item} for item in answer["items"]]
    return {key(each): each for each in found}, not answer["metadata"].get("continue")
