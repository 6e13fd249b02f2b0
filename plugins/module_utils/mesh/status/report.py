# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What `mesh status` and `mesh test` tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...report.clusters import REASON_WIDTH, aligned

Row = dict[str, Any]
# What module cilium_clustermesh_info returned: cluster (the record) and reasons (lines).
Answer = Mapping[str, Any]

_UNKNOWN = {"nodes": 0, "endpoints": 0, "services": 0, "error": "no agent knows this peer"}
_COUNTS = ("nodes", "endpoints", "services")
_OF_CLUSTER = ("peers", "certificate_days")
_OF_CHECK = ("name", "ok", "expected", "found", "seconds")


def unhealthy(answer: Answer, name: str, members: Iterable[str]) -> list[str]:
    """Lines for all that is not well with a cluster that answered.

    :param answer: of a task that waits for all that is asked of pods, so that its reasons are complete.
    :param name: the cluster's name in the inventory.
    :param members: the clusters of the mesh.
    """
    general, by_peer = _lacks(answer, name, members)
    lines = [f"cluster {name}: {text}" for text in general]
    return lines + [f"cluster {name}, peer {peer}: {text}" for peer, texts in by_peer.items() for text in texts]


def matrix(members: Iterable[str], seen: Mapping[str, Answer], failures: Mapping[str, str]) -> dict[str, Row]:
    """Each cluster by name: peers, certificate_days (the least of its certificates, None when unread), reason.

    :param members: the clusters of the mesh.
    :param seen: by cluster what it answered.
    :param failures: by cluster why it did not answer; a member that stands in neither has no row.
    """
    members = sorted(members)
    return {
        name: _cluster(seen[name], name, members) if name in seen else _silent(failures[name], name, members)
        for name in members
        if name in seen or name in failures
    }


def _cluster(answer: Answer, name: str, members: Iterable[str]) -> Row:
    general, by_peer = _lacks(answer, name, members)
    known = (answer["cluster"].get("status") or {}).get("clusters", {})
    days = [leaf["days_left"] for leaf in _leafs(answer).values()]
    return {
        "peers": {peer: _peer(known.get(peer, _UNKNOWN), [*general, *texts]) for peer, texts in by_peer.items()},
        "certificate_days": min(days, default=None),
        "reason": "; ".join(general),
    }


def _silent(failure: str, name: str, members: Iterable[str]) -> Row:
    peers = {peer: _peer(_UNKNOWN, [failure]) for peer in members if peer != name}
    return {"peers": peers, "certificate_days": None, "reason": failure}


def _peer(counts: Row, texts: list[str]) -> Row:
    return {"ready": not texts, **{name: counts[name] for name in _COUNTS}, "reason": "; ".join(texts)}


def _lacks(answer: Answer, name: str, members: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """What the cluster lacks, and what by peer. Peers are the members, and whoever else it has an entry of."""
    record, lines = answer["cluster"], answer.get("reasons") or []
    if not record:
        return ["not made yet"], {peer: [] for peer in sorted(members) if peer != name}
    own, status = record["name"], record["status"]["clusters"]
    # The module's lines say first whose they are.
    general = [line.removeprefix(f"cluster {own}: ") for line in lines if line.startswith(f"cluster {own}: ")]
    if own != name:
        general.append(f"its kubeconfig points to cluster {own}")
    ended = [(leaf, each["not_after"]) for leaf, each in sorted(_leafs(answer).items()) if each["days_left"] < 0]
    general += [f"its {leaf} certificate expired {end}" for leaf, end in ended]
    by_peer = {}
    for peer in sorted({*members, *(record.get("peers") or {})} - {name}):
        mark = f"cluster {own}, peer {peer}: "
        found = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
        by_peer[peer] = found or list(filter(None, [status.get(peer, _UNKNOWN)["error"]]))
    return general, by_peer


def _leafs(answer: Answer) -> dict[str, Row]:
    return dict((answer["cluster"].get("tls") or {}).get("leafs", {}))


def status(found: Mapping[str, Row], failed: bool) -> Row:
    """The object of `mesh status --json`; ok only when the run failed nowhere and every cluster is well."""
    well = not any(row["reason"] or not all(peer["ready"] for peer in row["peers"].values()) for row in found.values())
    clusters = {name: {key: row[key] for key in _OF_CLUSTER} for name, row in found.items()}
    return {"ok": bool(found) and not failed and well, "clusters": clusters}


def table(found: Mapping[str, Row]) -> list[str]:
    """Lines for a person: how each cluster sees each of its peers."""
    lines: list[tuple[str, ...]] = [("cluster", "peer", "ready", *_COUNTS, "certificate", "reason")]
    for name, row in found.items():
        days = "-" if row["certificate_days"] is None else f"{row['certificate_days']} days"
        if not row["peers"]:
            lines.append((name, "-", "-", "-", "-", "-", days, _short(row["reason"]) or "ok"))
        for peer, each in row["peers"].items():
            counts = (str(each[count]) for count in _COUNTS)
            lines.append((name, peer, "yes" if each["ready"] else "no", *counts, days, _short(each["reason"]) or "ok"))
    return aligned(lines)


def checks(seen: Mapping[str, Iterable[Row]], failures: Mapping[str, str]) -> list[Row]:
    """Checks of module cilium_clustermesh_probe of all clusters; one that failed without any is one itself."""
    found = [
        {"cluster": name, **{key: check[key] for key in _OF_CHECK}} for name in sorted(seen) for check in seen[name]
    ]
    silent = {name: why for name, why in sorted(failures.items()) if not seen.get(name)}
    lost = {"name": "run", "ok": False, "expected": "checks"}
    return found + [{"cluster": name, **lost, "found": why, "seconds": 0} for name, why in silent.items()]


def test(found: list[Row], failed: bool) -> Row:
    """The object of `mesh test --json`; ok only when there were checks, all of them well, and nothing else failed."""
    return {"ok": bool(found) and not failed and all(check["ok"] for check in found), "checks": found}


def check_table(found: list[Row]) -> list[str]:
    """Lines for a person, one a check."""
    lines: list[tuple[str, ...]] = [("cluster", "check", "ok", "seconds", "expected", "found")]
    for check in found:
        well, seconds = "yes" if check["ok"] else "no", f"{check['seconds']:.1f}"
        words = (_short(check["expected"]), _short(check["found"]))
        lines.append((check["cluster"], check["name"], well, seconds, *words))
    return aligned(lines)


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:REASON_WIDTH]
