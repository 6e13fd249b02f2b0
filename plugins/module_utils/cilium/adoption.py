# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Compare a helm release of Cilium that somebody else made with what the platform would make of it. Private, pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

Values = dict[str, Any]
# Values by which pods got their addresses and identities: a change breaks those that run until they start anew.
_BREAKING = ("cluster.id", "cluster.name", "ipam.", "routingMode", "tunnelProtocol", "tunnelPort")
_SECRET = re.compile(r"(key|cert|ca|password|passwd|token|secret|credentials)$", re.IGNORECASE)
_LONGEST = 80


def differences(theirs: Values, defaults: Values, ours: Values) -> list[str]:
    """Each value that differs, as ``path: theirs …, ours …``; where one side sets nothing, the chart's default counts.

    :param theirs: values that their release was installed with.
    :param defaults: values of their chart.
    :param ours: values that the platform would install with.
    """
    mine, other, chart = dict(_leaves(ours)), dict(_leaves(theirs)), dict(_leaves(defaults))
    lines = []
    for path in sorted({*mine, *other}):
        sides = [side.get(path, chart.get(path)) for side in (other, mine)]
        if _plain(sides[0]) == _plain(sides[1]):
            continue
        shown = [
            f"{name} {_shown(path, value)}{'' if path in side else ' (the default)'}"
            for name, value, side in (("theirs", sides[0], other), ("ours", sides[1], mine))
        ]
        breaking = "; running pods must be restarted" if path.startswith(_BREAKING) else ""
        lines.append(f"{path}: {', '.join(shown)}{breaking}")
    return lines


def version_problem(theirs: str, ours: str) -> str:
    """Why Cilium cannot go from their version to ours; empty if it can. Only one minor at a time is supported."""
    numbers = [[int(part) for part in re.findall(r"\d+", version)[:3]] for version in (theirs, ours)]
    if len(numbers[0]) < 2 or numbers[0] == numbers[1]:
        return ""
    if numbers[0] > numbers[1]:
        return f"is version {theirs}, newer than ours ({ours}); set artifacts_versions.cilium to it, or to a newer one"
    if numbers[0][0] == numbers[1][0] and numbers[1][1] - numbers[0][1] > 1:
        step = f"{numbers[0][0]}.{numbers[0][1] + 1}"
        return f"is version {theirs}, more than one minor before ours ({ours}); upgrade it to {step} first"
    return ""


def _leaves(values: Values, above: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no mapping (or an empty one), by its path."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _plain(value: Any) -> Any:
    """A value as helm's templates see it: true and "true" are the same, and so are nothing and empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value in ("", None, {}, []) else value if isinstance(value, list | dict) else str(value)


def _shown(path: str, value: Any) -> str:
    """A value for people; what may be a secret by its digest, and so is what is too long to read."""
    if value is None:
        return "unset"
    text = value if isinstance(value, str) else json.dumps(_masked(value))
    if (isinstance(value, str) and value and _SECRET.search(path)) or len(text) > _LONGEST or "\n" in text:
        return _digest(value)
    return text or '""'


def _masked(value: Any, key: str = "") -> Any:
    """Lists and mappings without what may be a secret in them; a variable's value may be one whatever its name."""
    if isinstance(value, dict):
        return {name: _masked(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, key) for each in value]
    return _digest(value) if isinstance(value, str) and (_SECRET.search(key) or key == "value") else value


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
