# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Certificates of a mesh as Kubernetes objects: their content, what restarts, and who else writes them. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ...kubernetes.manifests import Manifest
from ..chart import LEAFS, MANAGER, USERS
from ..peers.entries import parse_users, render_users
from . import certificates as certs
from .certificates import Pair

AUTHORITY = "cilium-ca"
BUNDLE = "cilium-root-ca.crt"
MARK = "cilium-clustermesh-ansible/ca-sha256"
_CHART = ("helm", "certmanager", "cronJob")
_TYPE = "kubernetes.io/tls"


def decoded(secret: Manifest | None, key: str) -> str:
    """Return a value of a Secret's data as text, "" if it is not there or no text."""
    try:
        return base64.b64decode(((secret or {}).get("data") or {}).get(key) or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def pair_of(secret: Manifest | None) -> Pair | None:
    """Return certificate and key of a TLS Secret, None without a Secret."""
    return Pair(decoded(secret, "tls.crt"), decoded(secret, "tls.key")) if secret else None


def trusted(text: str) -> list[str]:
    """Return the sorted fingerprints of the CAs in a text; [] where it is no PEM, so that it is written anew."""
    try:
        return certs.fingerprints(text)
    except ValueError:
        return []


def mark(live: Manifest | None, before: list[str], after: list[str], deployment: Manifest | None) -> str:
    """Return the digest of the CAs that a running etcd has to be restarted for, "" while it knows them from its start.

    It is kept at the object that holds the CAs, so that a run that ended before the restart is made good by the next.
    """
    if live and before == after:
        return str((live["metadata"].get("annotations") or {}).get(MARK, ""))
    status = (deployment or {}).get("status") or {}
    if deployment is None or (live is None and not status.get("availableReplicas")):
        return ""
    return hashlib.sha256("\n".join(after).encode()).hexdigest()


def restart_due(wanted: str, deployment: Manifest | None) -> bool:
    """Return whether the Deployment's pods started before the CAs of the mark were there."""
    if not wanted or deployment is None:
        return False
    return (deployment["spec"]["template"]["metadata"].get("annotations") or {}).get(MARK) != wanted


def rolled_out(deployments: list[Manifest]) -> bool:
    """Return whether the Deployment's newest pods, and only they, are available."""
    for each in deployments:
        status, wanted = each.get("status") or {}, each["spec"].get("replicas", 1)
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        if status.get("observedGeneration", 0) >= each["metadata"]["generation"] and counts == [wanted] * 3:
            return True
    return False


def _manifest(kind: str, name: str, namespace: str, annotations: dict[str, str], **content: Any) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def _coded(**texts: str) -> dict[str, str]:
    return {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in texts.items()}


def leaf_secret(name: str, namespace: str, pair: Pair, bundle: str, restart_for: str) -> Manifest:
    """Return the Secret of a leaf; restart_for is a mark, or "" for none."""
    data = _coded(ca_crt=bundle, tls_crt=pair.cert, tls_key=pair.key)
    annotations = {MARK: restart_for} if restart_for else {}
    return _manifest("Secret", name, namespace, annotations, type="kubernetes.io/tls", data=data)


def bundle_config(namespace: str, bundle: str, restart_for: str) -> Manifest:
    """Return the ConfigMap that chart value tls.caBundle reads."""
    annotations = {MARK: restart_for} if restart_for else {}
    return _manifest("ConfigMap", BUNDLE, namespace, annotations, data={"ca.crt": bundle})


def authority_secret(namespace: str, pair: Pair, release: str) -> Manifest:
    """Return cilium-ca with the marks by which Helm takes it for its own; else its next run would refuse it."""
    annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    found = _manifest("Secret", AUTHORITY, namespace, annotations, data=_coded(ca_crt=pair.cert, ca_key=pair.key))
    found["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    return found


def users_config(live: Manifest | None, namespace: str, names: Iterable[str]) -> Manifest | None:
    """Return the ConfigMap with the logins of these clusters beside those that are there, None if it has all."""
    present = parse_users(((live or {}).get("data") or {}).get("users.yaml") or "")
    wanted = {f"remote-{name}": "remote" for name in names}
    if live and wanted.keys() <= present.keys():
        return None
    return _manifest("ConfigMap", USERS, namespace, {}, data={"users.yaml": render_users({**wanted, **present})})


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
    """Return a sentence for each object that another field manager writes. live is what Trust.read returns."""
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
    return f"Secret {secret} is managed by {other} and would be overwritten; remove it there, then run again"


def _config(name: str, other: str, step: str) -> str:
    if other in _CHART:
        return f"ConfigMap {name} is rendered by Helm and would be overwritten; {step}"
    return f"ConfigMap {name} is managed by {other} and would be overwritten; remove it there, then run again"
