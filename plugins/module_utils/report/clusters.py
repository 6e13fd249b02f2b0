# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a run tells at its end: one row a cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
COLUMNS = ("cluster", "nodes", "kubernetes", "cilium", "api", "reason")
REASON_WIDTH = 200


def rows(clusters: Iterable[str], fleet: Row, seen: dict[str, Row], failures: dict[str, str], common: str) -> list[Row]:
    """One row for each cluster, sorted by name.

    fleet: the fleet record, empty when the run ended before it was made.
    seen: by cluster what module cluster_info returned as `cluster`.
    failures: by host the first message of its failure, in the order of the run.
    common: the failure that ended the run for all, or nothing.
    """
    records = fleet.get("clusters", {})
    return [_row(name, records.get(name, {}), seen.get(name), failures, common) for name in sorted(clusters)]


def _row(name: str, record: Row, seen: Row | None, failures: dict[str, str], common: str) -> Row:
    """What was seen of a cluster beside what the inventory says of it; the first failure is the reason."""
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
    """The object of `status --json`; ok only when the run failed nowhere and every cluster is well."""
    return {"ok": bool(found) and not failed and not any(row["reason"] for row in found), "clusters": found}


def table(found: list[Row]) -> list[str]:
    """Lines of a table for a person, one cluster a line."""
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
    """Seconds of each stage and of all."""
    parts = [f"{stage} {seconds:.1f}" for stage, seconds in stages.items()]
    return f"seconds: {', '.join(parts)}, all {sum(stages.values()):.1f}"
