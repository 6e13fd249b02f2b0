# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Lines of a report: what was expected, what was found, and how long it took to find."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trips.dagster_api import DagsterError

Line = dict[str, Any]
# Name, what is expected, and how to find it.
Measure = tuple[str, Any, Callable[[], Any]]


def lines(measures: Iterable[Measure]) -> list[Line]:
    """Measure one after the other; what cannot be measured is a finding like any other."""
    return [_line(*measure) for measure in measures]


def _line(name: str, expected: Any, measure: Callable[[], Any]) -> Line:
    start = time.monotonic()
    try:
        found = measure()
    except (DagsterError, OSError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
    seconds = round(time.monotonic() - start, 3)
    return {"name": name, "ok": found == expected, "expected": expected, "found": found, "seconds": seconds}


def table(report: list[Line]) -> Iterator[str]:
    """Yield the report for people."""
    for line in report:
        found = "" if line["ok"] else f", found {line['found']}"
        yield f"{'ok' if line['ok'] else 'WRONG':5} {line['name']:15} {line['expected']}{found} ({line['seconds']} s)"
