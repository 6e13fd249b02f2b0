# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Certificates of a mesh as Kubernetes objects: what is to be written, what restarts, who else writes them. Pure."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...kubernetes.helm_release import as_installed
from ...kubernetes.manifests import Manifest
from ..chart import LEAFS, MANAGER, USERS
from ..peers.entries import parse_users, render_users
from . import certificates as certs
from .certificates import Pair
from .leaf_certificates import Leaf, reasons

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

AUTHORITY = "cilium-ca"
BUNDLE = "cilium-root-ca.crt"
MARK = "cilium-clustermesh-ansible/ca-sha256"
_CHART = ("helm", "certmanager", "cronJob")
_TYPE = "kubernetes.io/tls"


def decoded(secret: Manifest | None, key: str) -> str:
    """Return a value of a Secret's data as text, "" if it is not there or no text."""
    try:
        return base64.b64decode(((secret or {}).get("data") or {}).get(key) or "").decode()
    except ValueError:
        return ""


def pair_of(secret: Manifest | None) -> Pair | None:
    """Return certificate and key of a TLS Secret, None without a Secret."""
    return Pair(decoded(secret, "tls.crt"), decoded(secret, "tls.key")) if secret else None


def trusted(text: str) -> list[str]:
    """Return the sorted fingerprints of the CAs in a text; [] where it is no PEM, so that it is rewritten."""
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


def _manifest(kind: str, name: str, namespace: str, restart_for: str = "", **content: Any) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if restart_for:
        metadata["annotations"] = {MARK: restart_for}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def _coded(**texts: str) -> dict[str, str]:
    return {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in texts.items()}


def users_config(live: Manifest | None, namespace: str, names: Iterable[str]) -> Manifest | None:
    """Return the ConfigMap with the logins of these clusters beside those that are there, None if it has all."""
    present = parse_users(((live or {}).get("data") or {}).get("users.yaml") or "")
    wanted = {f"remote-{name}": "remote" for name in names}
    if live and wanted.keys() <= present.keys():
        return None
    return _manifest("ConfigMap", USERS, namespace, data={"users.yaml": render_users({**wanted, **present})})


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


@dataclass(frozen=True)
class Step:
    """One object; it is written unless the action is unchanged. before and after hold what may be shown."""

    name: str  # for people: kind and name
    action: str  # issued, trust (only the CAs are new), written, unchanged
    manifest: Manifest | None = field(repr=False)  # None where check mode makes nothing
    before: dict[str, Any]
    after: dict[str, Any]
    role: str = ""  # of a leaf: server, admin, local, remote
    reasons: tuple[str, ...] = ()
    mark: str = ""  # of the CAs that etcd has to be restarted for

    def diff(self) -> dict[str, str]:
        """Return one entry of Ansible's diff mode."""
        sides = [{key: side[key] for key in side if key != "days_left"} for side in (self.before, self.after)]
        texts = [yaml.safe_dump(side, sort_keys=False) if side else "" for side in sides]
        return {"before_header": self.name, "after_header": self.name, "before": texts[0], "after": texts[1]}


@dataclass(frozen=True)
class Wish:
    """How the leafs are to be; days are whole days. In check mode nothing is issued."""

    namespace: str
    leafs: Mapping[str, Leaf]
    authority: Pair
    bundle: str
    validity_days: int = 365
    renew_before_days: int = 60
    force: bool = False
    check: bool = False


def leaf_steps(
    wish: Wish, live: Mapping[str, Manifest | None], deployment: Manifest | None, now: datetime
) -> list[Step]:
    """Return a step for each leaf in the order of writing. live holds the leafs' Secrets by the leaf."""
    return [_leaf_step(wish, role, live.get(role), deployment, now) for role in wish.leafs]


def _leaf_step(wish: Wish, role: str, live: Manifest | None, deployment: Manifest | None, now: datetime) -> Step:
    leaf, pair = wish.leafs[role], pair_of(live)
    authority = certs.certificates(wish.authority.cert)[0]
    due = reasons(pair, leaf, authority, wish.renew_before_days, now)
    due = due or (["asked for by force_reissue"] if wish.force else [])
    before, after = trusted(decoded(live, "ca.crt")), trusted(wish.bundle)
    # Only etcd keeps the CAs of its start; it reads those beside the server certificate.
    due_mark = mark(live, before, after, deployment) if role == "server" else ""
    marked = ((live or {}).get("metadata", {}).get("annotations") or {}).get(MARK, "")
    action = "issued" if due else "trust" if (before, due_mark) != (after, marked) else "unchanged"
    shown = _shown(pair, now)
    planned: dict[str, Any] = {"cn": leaf.cn, "sans": list(leaf.sans), "not_after": "", "days_left": 0, "sha256": ""}
    manifest = None
    if action != "unchanged" and not wish.check:
        fresh = pair
        if due or fresh is None:  # without a pair there is a reason
            fresh = certs.issue(leaf.cn, leaf.sans, leaf.purposes, wish.authority, wish.validity_days, now)
        data = _coded(ca_crt=wish.bundle, tls_crt=fresh.cert, tls_key=fresh.key)
        manifest = _manifest("Secret", LEAFS[role], wish.namespace, due_mark, type=_TYPE, data=data)
        planned = _shown(fresh, now)
    sides = ({**shown, "ca": before} if live else {}, {**(planned if due else shown), "ca": after})
    return Step(f"Secret {wish.namespace}/{LEAFS[role]}", action, manifest, *sides, role, tuple(due), due_mark)


def _shown(pair: Pair | None, now: datetime) -> dict[str, Any]:
    """Return what may be shown of a leaf, nothing of one that cannot be read."""
    try:
        return certs.describe(certs.certificates(pair.cert)[0], now) if pair else {}
    except ValueError:
        return {}


def bundle_step(namespace: str, live: Manifest | None, bundle: str, deployment: Manifest | None) -> Step:
    """Return the step for the ConfigMap with all CAs, which chart value tls.caBundle reads."""
    before, after = trusted(((live or {}).get("data") or {}).get("ca.crt") or ""), trusted(bundle)
    due_mark = mark(live, before, after, deployment)
    name, action = f"ConfigMap {namespace}/{BUNDLE}", "written" if before != after else "unchanged"
    manifest = _manifest("ConfigMap", BUNDLE, namespace, due_mark, data={"ca.crt": bundle})
    return Step(name, action, manifest, {"ca": before} if live else {}, {"ca": after}, mark=due_mark)


def authority_step(namespace: str, live: Manifest | None, pair: Pair, release: str) -> Step:
    """Return the step for Secret cilium-ca. Raise ValueError when it holds another CA."""
    before, after = trusted(decoded(live, "ca.crt")), trusted(pair.cert)
    if live and before != after:
        raise ValueError(
            f"Secret {AUTHORITY} holds another CA (sha256 {before[0][:16] if before else 'unreadable'}) than "
            f"ca_cert ({after[0][:16]}), and the next run of the chart would reissue everything; begin with that CA "
            "(cilium_clustermesh_ca, adopt_from) and rotate, or delete the Secret"
        )
    made = _manifest("Secret", AUTHORITY, namespace, data=_coded(ca_crt=pair.cert, ca_key=pair.key))
    # Without the marks of Helm its next run would refuse the Secret.
    manifest, metadata = as_installed(made, release, namespace), (live or {}).get("metadata") or {}
    ours = all(
        wanted.items() <= (metadata.get(kind) or {}).items()
        for kind, wanted in manifest["metadata"].items()
        if kind in ("labels", "annotations")
    )
    same = ours and certs.match(certs.certificates(pair.cert)[0], decoded(live, "ca.key"))
    action, sides = "unchanged" if same else "written", ({"ca": before} if live else {}, {"ca": after})
    return Step(f"Secret {namespace}/{AUTHORITY}", action, manifest, *sides)


def users_step(namespace: str, live: Manifest | None, names: list[str]) -> Step:
    """Return the step for the list of clusters that may log in."""
    manifest = users_config(live, namespace, names)
    before, after = (dict((each or {}).get("data") or {}) for each in (live, manifest or live))
    return Step(f"ConfigMap {namespace}/{USERS}", "written" if manifest else "unchanged", manifest, before, after)
