# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The numbers that a data set must give, counted at the source, and their comparison with what was found."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from trips.source import trips


@dataclass
class Figures:
    """Counts and sums of one data set. daily: trips and fares (cents) by day and zone."""

    raw: int = 0
    accepted: int = 0
    fare_cents: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    daily: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


def expected(rows: int, seed: int) -> Figures:
    """Count at the source, where each row's fault is known without any rule."""
    figures = Figures()
    for (_trip_id, picked_up_at, zone, _distance, fare), fault in trips(rows, seed):
        figures.raw += 1
        if fault:
            figures.rejected[fault] += 1
            continue
        figures.accepted += 1
        figures.fare_cents += int(fare)
        count, cents = figures.daily.get((picked_up_at[:10], zone), (0, 0))
        figures.daily[picked_up_at[:10], zone] = (count + 1, cents + int(fare))
    return figures


def mart_summary(daily: dict[tuple[str, str], tuple[int, int]]) -> dict[str, Any]:
    """Return a mart in a line: equal for equal rows only."""
    lines = "\n".join(f"{day} {zone} {count} {cents}" for (day, zone), (count, cents) in sorted(daily.items()))
    return {
        "rows": len(daily),
        "trips": sum(count for count, _cents in daily.values()),
        "fare_cents": sum(cents for _count, cents in daily.values()),
        "sha256": hashlib.sha256(lines.encode()).hexdigest()[:16],
    }
