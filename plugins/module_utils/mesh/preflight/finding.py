# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One finding about a mesh, and the words that findings share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .messages import RULES, WARNINGS

Record = dict[str, Any]  # what cilium_clustermesh_info returns as `cluster`


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong and what to do. In order: errors first, then by code, clusters and text."""

    severity: str
    code: str
    clusters: tuple[str, ...]
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}. Fix: {self.fix}"


def finding(code: str, records: Iterable[Record], **fields: Any) -> Finding:
    """Return the finding of this code about these clusters, with the fields that its words need."""
    message, fix = RULES[code]
    severity = "warning" if code in WARNINGS else "error"
    clusters = tuple(sorted({record["name"] for record in records}))
    return Finding(severity, code, clusters, message.format(**fields), fix.format(**fields))


def grouped(records: Iterable[Record], value: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Return the records by what they have as value, the smallest value first."""
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(value(record), []).append(record)
    return dict(sorted(groups.items()))


def quoted(records: Iterable[Record]) -> str:
    """Return "'north', 'south'"."""
    return ", ".join(f"'{record['name']}'" for record in records)


def listed(groups: dict[Any, list[Record]]) -> str:
    """Return "255 of 'north', 'south'; 511 of 'west'"."""
    return "; ".join(f"{value} of {quoted(records)}" for value, records in groups.items())
