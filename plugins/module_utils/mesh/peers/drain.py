# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Remember on Secret cilium-kvstoremesh when a peer was removed: KVStoreMesh drains it for minutes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ...kubernetes.manifests import Manifest

REMOVED_AT = "cilium-clustermesh-ansible/removed-at"
DRAIN_SECONDS = 180  # KVStoreMesh keeps what it knew of a removed peer for so long
_TIME = "%Y-%m-%dT%H:%M:%SZ"
Marks = dict[str, datetime]  # when each peer was removed


def read(live: Manifest | None) -> Marks:
    """Return what the annotation says; nothing where somebody wrote something else there."""
    text = (((live or {}).get("metadata") or {}).get("annotations") or {}).get(REMOVED_AT, "{}")
    try:
        return {name: datetime.strptime(at, _TIME).replace(tzinfo=UTC) for name, at in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def annotation(marks: Mapping[str, datetime]) -> dict[str, str]:
    """Return the annotation; none without a mark."""
    return {REMOVED_AT: json.dumps({name: f"{marks[name]:{_TIME}}" for name in sorted(marks)})} if marks else {}


def update(marks: Marks, removed: Iterable[str], added: Iterable[str], now: datetime) -> tuple[Marks, list[str]]:
    """Return the marks after this run, and warnings: who joins while it is drained, who must not join yet."""
    left = {name: DRAIN_SECONDS - max(int((now - at).total_seconds()), 0) for name, at in marks.items()}
    warnings = [
        f"peer '{name}' joins again while KVStoreMesh drains it: it may take {left[name]} s longer"
        for name in sorted({*added} & left.keys())
        if left[name] > 0
    ]
    removed = sorted(removed)
    if removed:
        warnings.append(f"KVStoreMesh drains {', '.join(removed)} for {DRAIN_SECONDS} s: do not add it again before")
    kept = {name: at for name, at in marks.items() if left[name] > 0 and name not in added}
    return kept | dict.fromkeys(removed, now), warnings
