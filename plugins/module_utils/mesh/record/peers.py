# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which peers a cluster is connected to, and who wrote their entries. Pure."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from ..chart import AGENT_SECRET, KVSTOREMESH_SECRET, MANAGER

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    _LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that in C is ten times as fast

Object = dict[str, Any]


def read(raw: dict[str, Any], own: str, kvstoremesh: bool) -> dict[str, Any]:
    """Return endpoints, ips and managed_by of each peer by name; an entry with the cluster's own name means nothing.

    Endpoints are those that lead out of the cluster: KVStoreMesh dials them if there is one, the agents else.
    """
    agents, mesh = raw[AGENT_SECRET], raw[KVSTOREMESH_SECRET]
    remote, workload = (mesh, raw["apiserver"]) if kvstoremesh else (agents, raw["agents"])
    aliases = workload["spec"]["template"]["spec"].get("hostAliases") or []
    dialled = _entries(remote)
    return {
        name: _peer(dialled.get(name, ""), aliases) | {"managed_by": _managers(remote, name)}
        for name in sorted({*dialled, *_entries(agents)} - {own})
    }


def owner(secret: Object | None) -> str:
    """Return who renders the Secret of the peers: argocd, flux, helm, module or none."""
    metadata = (secret or {}).get("metadata") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if "argocd.argoproj.io/tracking-id" in notes or "argocd.argoproj.io/instance" in labels:
        return "argocd"
    if any(key.partition("/")[0] in ("helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io") for key in labels):
        return "flux"
    if labels.get("app.kubernetes.io/managed-by") == "Helm":
        return "helm"
    return "module" if any(each["manager"] == MANAGER for each in metadata.get("managedFields") or []) else "none"


def _peer(text: str, aliases: list[Object]) -> dict[str, Any]:
    try:
        entry = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError:
        entry = None
    if not isinstance(entry, dict):
        entry = {}
    endpoints = entry.get("endpoints") or []
    hosts = {endpoint.partition("://")[2].rpartition(":")[0] for endpoint in endpoints}
    ips = {ip for each in entry.get("cilium-host-aliases") or [] for ip in each.get("ips") or []}
    ips |= {each["ip"] for each in aliases if hosts & {*(each.get("hostnames") or [])}}
    return {"endpoints": endpoints, "ips": sorted(ips)}


def _entries(secret: Object | None) -> dict[str, str]:
    """Return the entries of a Secret by peer; what has no ``endpoints:`` is none, as in Cilium."""
    data = (secret or {}).get("data") or {}
    data = {name: base64.b64decode(coded or "").decode(errors="replace") for name, coded in data.items()}
    return {name: text for name, text in data.items() if "endpoints:" in text}


def _managers(secret: Object | None, key: str) -> str:
    fields = ((secret or {}).get("metadata") or {}).get("managedFields") or []
    owners = {each["manager"] for each in fields if f"f:{key}" in (each.get("fieldsV1") or {}).get("f:data", {})}
    return ", ".join(sorted(owners))
