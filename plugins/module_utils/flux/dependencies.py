# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which objects of Flux an object requires, waits for and belongs to. Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

Object = dict[str, Any]
_OWNERS = (("kustomize.toolkit.fluxcd.io", "Kustomization"), ("helm.toolkit.fluxcd.io", "HelmRelease"))
# As the controllers write in the message of a failed health check.
_NAMED = re.compile(r"[A-Za-z0-9]+/(?P<namespace>[^/\s]+)/(?P<name>[^/\s]+) status: '")


class Key(NamedTuple):
    """What names an object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def key_of(kind: str, item: Object) -> Key:
    """Return the key of an object."""
    return Key(kind, item["metadata"]["namespace"], item["metadata"]["name"])


def source(key: Key, item: Object) -> Key:
    """Return what a Kustomization, HelmRelease or HelmChart is made from; itself for what has no such."""
    spec, namespace = item.get("spec") or {}, key.namespace
    if key.kind == "HelmRelease" and "chart" in spec:
        ref = spec["chart"]["spec"]["sourceRef"]
        return Key("HelmChart", ref.get("namespace") or namespace, f"{namespace}-{key.name}")
    ref = spec.get("chartRef" if key.kind == "HelmRelease" else "sourceRef")
    return Key(ref["kind"], ref.get("namespace") or namespace, ref["name"]) if ref else key


def required(key: Key, item: Object) -> set[Key]:
    """Return what must be ready before the object's controller begins."""
    depends = (item.get("spec") or {}).get("dependsOn") or []
    return {Key(key.kind, each.get("namespace") or key.namespace, each["name"]) for each in depends} | (
        {source(key, item)} - {key}
    )


def held(key: Key, item: Object) -> set[Key]:
    """Return what a Kustomization checks the health of after it applied."""
    if key.kind != "Kustomization":
        return set()
    if not item["spec"].get("wait"):
        checks = item["spec"].get("healthChecks") or []
        return {Key(each["kind"], each.get("namespace") or key.namespace, each["name"]) for each in checks}
    return {Key(kind, namespace, name) for namespace, name, kind in inventory(item)}


def inventory(item: Object) -> list[tuple[str, str, str]]:
    """Return namespace, name and kind of what was applied; an id is <namespace>_<name>_<group>_<kind>."""
    entries = ((item.get("status") or {}).get("inventory") or {}).get("entries") or []
    parts = [each["id"].split("_") for each in entries]
    return [(part[0], "_".join(part[1:-2]), part[-1]) for part in parts]


def owner(item: Object) -> Key | None:
    """Return the Kustomization or HelmRelease that made an object."""
    labels = item["metadata"].get("labels") or {}
    for group, kind in _OWNERS:
        if f"{group}/name" in labels:
            return Key(kind, labels.get(f"{group}/namespace", ""), labels[f"{group}/name"])
    return None


def workloads(key: Key, item: Object, reason: str) -> dict[str, set[str]]:
    """Return the namespaces in which to look for pods that fail, each with the objects that the reason names."""
    found: dict[str, set[str]] = {}
    for match in _NAMED.finditer(reason):
        found.setdefault(match["namespace"], set()).add(match["name"])
    if not found:
        found = {namespace: set() for namespace, _name, _kind in inventory(item) if namespace}
    if not found and key.kind == "HelmRelease":
        found = {item["spec"].get("targetNamespace") or key.namespace: set()}
    return found
