# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who else writes the certificates of a mesh, and the refusal to write against them."""

from __future__ import annotations

from collections.abc import Mapping

from ...kubernetes.manifests import Manifest
from ..names import LEAFS, MANAGER, USERS
from .secrets import BUNDLE

_CHART = ("helm", "certmanager", "cronJob")
_TYPE = "kubernetes.io/tls"


def owner(live: Manifest | None, cron_job: bool = False) -> str:
    """Return who else writes the object: the chart by one of its methods, or a name; "" if nobody does."""
    metadata = (live or {}).get("metadata") or {}
    if (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm":
        return "helm"
    if "cert-manager.io/certificate-name" in (metadata.get("annotations") or {}):
        return "certmanager"
    if live and cron_job:
        return "cronJob"
    owners = [f"{each['kind']} {each['name']}" for each in metadata.get("ownerReferences") or []]
    fields = [each for each in metadata.get("managedFields") or [] if each.get("operation") == "Apply"]
    owners += [each["manager"] for each in fields if each["manager"] != MANAGER and "f:data" in each["fieldsV1"]]
    return owners[0] if owners else ""


def refusals(live: Mapping[str, Manifest | None], users_due: bool) -> list[str]:
    """Return a sentence for each object that somebody else writes. live is what Trust.read returns."""
    found = []
    for role, secret in LEAFS.items():
        if other := owner(live.get(role), bool(live.get("cron_job"))):
            found.append(_leaf(secret, other))
        elif (kind := (live.get(role) or {}).get("type", _TYPE)) != _TYPE:
            found.append(f"Secret {secret} is of type {kind}, which cannot be changed; delete it, then run again")
    if other := owner(live.get("bundle")):
        found.append(_config(BUNDLE, other, "leave tls.caBundle.content empty"))
    if users_due and (other := owner(live.get("users"))):
        found.append(_config(USERS, other, "set clustermesh.config.enabled=false"))
    return found


def _leaf(secret: str, other: str) -> str:
    if other in _CHART:
        return (
            f"Secret {secret} is rendered by Helm (method {other}) and would be overwritten; set "
            "clustermesh.apiserver.tls.auto.enabled=false and (before 1.20) enableSecrets=false, or use mode=shared_ca"
        )
    return f"Secret {secret} is managed by {other} and would be overwritten; take it out there, then run again"


def _config(name: str, other: str, step: str) -> str:
    if other in _CHART:
        return f"ConfigMap {name} is rendered by Helm and would be overwritten; {step}"
    return f"ConfigMap {name} is managed by {other} and would be overwritten; take it out there, then run again"
