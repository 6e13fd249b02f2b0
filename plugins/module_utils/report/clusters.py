# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The table of clusters at the end of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
COLUMNS = ("cluster", "nodes", "kubernetes", "cilium", "api", "reason")
REASON_WIDTH = 200


def rows(clusters: Iterable[str], fleet: Row, seen: dict[str, Row], failures: dict[str, str], common: str) -> list[Row]:
    """One row for each cluster, sorted by name.

    fleet: the fleet record; empty when the run ended before it was built.
    seen: by cluster the value `cluster` of module cluster_info.
    failures: by host the message of its first failure, in the order of the run.
    common: the failure that ended the run for all hosts, or empty.
    """
    records = fleet.get("clusters", {})
    return [_row(name, records.get(name, {}), seen.get(name), failures, common) for name in sorted(clusters)]


def _row(name: str, record: Row, seen: Row | None, failures: dict[str, str], common: str) -> Row:
    """The state of a cluster next to the inventory; its reason is the first failure."""
    shown = seen or {}
    expected = len(record.get("nodes", []))
    row = {
        "name": name,
        "provider": record.get("provider", ""),
        "api": record.get("endpoint") or shown.get("api") or "",
        "kubernetes": shown.get("kubernetes") or "",
        "cilium": shown.get("cilium") or "",
        "nodes": max(shown.get("nodes") or 0, expected),
        "nodes_ready": shown.get("nodes_ready") or 0,
        "reason": shown.get("reason") or "",
    }
    broken = next((host for host in failures if host in record.get("nodes", [])), "")
    if broken:
        row["reason"] = f"{broken}: {failures[broken]}"
    elif not row["reason"] and (failed := failures.get(name) or common):
        row["reason"] = failed
    elif seen is None:
        row["reason"] = "the run ended before its state was read"
    elif not row["reason"] and row["nodes_ready"] < row["nodes"]:
        row["reason"] = f"{row['nodes_ready']} of {row['nodes']} nodes are ready"
    return row


def status(found: list[Row], failed: bool) -> Row:
    """The object of `status --json`; ok only when no host failed and every cluster is healthy."""
    return {"ok": bool(found) and not failed and not any(row["reason"] for row in found), "clusters": found}


def table(found: list[Row]) -> list[str]:
    """Lines of the table, one for each cluster."""
    cells = [COLUMNS] + [
        (
            row["name"],
            f"{row['nodes_ready']}/{row['nodes']}",
            row["kubernetes"] or "-",
            row["cilium"] or "-",
            row["api"] or "-",
            " ".join(str(row["reason"]).split())[:REASON_WIDTH] or "ok",
        )
        for row in found
    ]
    return aligned(cells)


def aligned(cells: Iterable[Sequence[str]]) -> list[str]:
    """Lines with columns as wide as their longest cell."""
    lines = list(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def clock(seconds: float) -> str:
    """mm:ss of a duration in seconds."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def timings(stages: dict[str, float]) -> str:
    """Duration of each stage and of the run."""
    parts = [f"{stage} {seconds:.1f}" for stage, seconds in stages.items()]
    return f"seconds: {', '.join(parts)}, all {sum(stages.values()):.1f}"
