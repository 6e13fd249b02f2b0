# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What has to be written to a cluster, so that it has the certificates of a mesh."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...kubernetes.manifests import Manifest
from ..chart import LEAFS, USERS
from . import certificates as certs
from . import secrets as trust
from .certificates import Pair
from .issue import issue
from .leaf_certificates import Leaf, reasons

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml


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
        sides = [
            {key: value for key, value in side.items() if key != "days_left"} for side in (self.before, self.after)
        ]
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
    leaf, pair = wish.leafs[role], trust.pair_of(live)
    authority = certs.certificates(wish.authority.cert)[0]
    due = reasons(pair, leaf, authority, wish.renew_before_days, now)
    due = due or (["asked for by force_reissue"] if wish.force else [])
    before, after = trust.trusted(trust.decoded(live, "ca.crt")), trust.trusted(wish.bundle)
    # Only etcd keeps the CAs of its start; it reads those beside the server certificate.
    mark = trust.mark(live, before, after, deployment) if role == "server" else ""
    marked = ((live or {}).get("metadata", {}).get("annotations") or {}).get(trust.MARK, "")
    action = "issued" if due else "trust" if (before, mark) != (after, marked) else "unchanged"
    shown = _shown(pair, now)
    planned: dict[str, Any] = {"cn": leaf.cn, "sans": list(leaf.sans), "not_after": "", "days_left": 0, "sha256": ""}
    manifest = None
    if action != "unchanged" and not wish.check:
        fresh = pair
        if due or fresh is None:  # without a pair there is a reason
            fresh = issue(leaf.cn, leaf.sans, leaf.purposes, wish.authority, wish.validity_days, now)
        manifest, planned = trust.leaf_secret(LEAFS[role], wish.namespace, fresh, wish.bundle, mark), _shown(fresh, now)
    sides = ({**shown, "ca": before} if live else {}, {**(planned if due else shown), "ca": after})
    return Step(f"Secret {wish.namespace}/{LEAFS[role]}", action, manifest, *sides, role, tuple(due), mark)


def _shown(pair: Pair | None, now: datetime) -> dict[str, Any]:
    """Return what may be shown of a leaf, nothing of one that cannot be read."""
    try:
        return certs.describe(certs.certificates(pair.cert)[0], now) if pair else {}
    except ValueError:
        return {}


def bundle_step(namespace: str, live: Manifest | None, bundle: str, deployment: Manifest | None) -> Step:
    """Return the step for the ConfigMap with all CAs."""
    before, after = trust.trusted(((live or {}).get("data") or {}).get("ca.crt") or ""), trust.trusted(bundle)
    mark = trust.mark(live, before, after, deployment)
    name, action = f"ConfigMap {namespace}/{trust.BUNDLE}", "written" if before != after else "unchanged"
    manifest = trust.bundle_config(namespace, bundle, mark)
    return Step(name, action, manifest, {"ca": before} if live else {}, {"ca": after}, mark=mark)


def authority_step(namespace: str, live: Manifest | None, pair: Pair, release: str) -> Step:
    """Return the step for Secret cilium-ca. Raise ValueError when it holds another CA."""
    before, after = trust.trusted(trust.decoded(live, "ca.crt")), trust.trusted(pair.cert)
    if live and before != after:
        raise ValueError(
            f"Secret {trust.AUTHORITY} holds another CA (sha256 {before[0][:16] if before else 'unreadable'}) than "
            f"ca_cert ({after[0][:16]}), and the next run of the chart would reissue everything; begin with that CA "
            "(cilium_clustermesh_ca, adopt_from) and rotate, or delete the Secret"
        )
    manifest, metadata = trust.authority_secret(namespace, pair, release), (live or {}).get("metadata") or {}
    ours = all(
        wanted.items() <= (metadata.get(kind) or {}).items()
        for kind, wanted in manifest["metadata"].items()
        if kind in ("labels", "annotations")
    )
    same = ours and certs.match(certs.certificates(pair.cert)[0], trust.decoded(live, "ca.key"))
    action, sides = "unchanged" if same else "written", ({"ca": before} if live else {}, {"ca": after})
    return Step(f"Secret {namespace}/{trust.AUTHORITY}", action, manifest, *sides)


def users_step(namespace: str, live: Manifest | None, names: list[str]) -> Step:
    """Return the step for the list of clusters that may log in."""
    manifest = trust.users_config(live, namespace, names)
    before, after = (dict((each or {}).get("data") or {}) for each in (live, manifest or live))
    return Step(f"ConfigMap {namespace}/{USERS}", "written" if manifest else "unchanged", manifest, before, after)
