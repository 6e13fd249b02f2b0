# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The states of Flux as text and data: a line of progress, the failure message, the list. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .readiness import Key, State, short

_SHOWN, _WIDTH = 3, 100


def unhealthy(states: list[State]) -> list[State]:
    """Return what is not ready and was waited for: root causes first, then what waits for them."""
    found = [state for state in states if state.state in ("waiting", "failed")]
    return sorted(found, key=lambda state: bool(state.waits_for))


def services(states: list[State], took: Mapping[Key, float]) -> list[dict[str, Any]]:
    """Return the states as plain data."""
    return [
        {
            "name": state.key.name,
            "kind": state.key.kind,
            "namespace": state.key.namespace,
            "state": state.state,
            "ready": state.state == "ready",
            "revision": state.revision,
            "reason": state.reason or ("suspended" if state.state == "suspended" else ""),
            **({"seconds": round(took[state.key], 1)} if state.key in took else {}),
        }
        for state in states
    ]


def progress(states: list[State]) -> str:
    """Return one line: how many objects are ready, and what the others wait for."""
    waited = [state for state in states if state.state != "suspended"]
    found = unhealthy(states)
    causes = [state for state in found if not state.waits_for] or found
    shown = [f"{_name(state.key)} ({_cut(state.reason)})" for state in causes[:_SHOWN]]
    more = [f"{len(causes) - _SHOWN} more"] if len(causes) > _SHOWN else []
    ready = f"{len(waited) - len(found)} of {len(waited)} ready"
    return f"{ready}; waits for: {', '.join(shown + more)}" if found else ready


def reason(states: list[State]) -> str:
    """Return what is not ready in one line for each, empty if all is."""
    return "\n".join(_line(state, states) for state in unhealthy(states))


def failure(states: list[State], details: Mapping[Key, list[str]], revision: str, seconds: float) -> str:
    """Return the message of the failure: each object that is not ready, with the pods that fail below it."""
    at = f" at revision {short(revision)}" if revision else ""
    lines = [f"Not all that Flux delivers is ready{at}{f' after {seconds:.0f} s' if seconds else ''}:"]
    for state in unhealthy(states):
        lines += [_line(state, states), *[f"  {line}" for line in details.get(state.key, [])]]
    lines += [f"{state.key} is suspended and was not waited for" for state in states if state.state == "suspended"]
    return "\n".join([*lines, "Fix the first object above and run again; Flux keeps retrying meanwhile."])


def _line(state: State, states: list[State]) -> str:
    causes = _causes(state, {each.key: each for each in states})
    waits = f" waits for {', '.join(causes)}" if causes else ""
    return f"{state.key}{waits}: {state.reason}"


def _causes(state: State, by_key: dict[Key, State]) -> list[str]:
    """Return what an object waits for in the end; what it waits for first where all wait for each other."""
    ends, left, seen = [], list(state.waits_for), {state.key}
    while left:
        other = by_key[left.pop()]
        if other.key not in seen:
            seen.add(other.key)
            left += other.waits_for
            ends += [] if other.waits_for else [other]
    found = sorted(ends or [by_key[key] for key in state.waits_for], key=lambda other: other.key)
    return [f"{other.key}{' (suspended)' if other.state == 'suspended' else ''}" for other in found]


def _name(key: Key) -> str:
    return key.name if key.kind == "Kustomization" else f"{key.kind} {key.name}"


def _cut(text: str) -> str:
    text = re.sub("(sha256:[0-9a-f]{12})[0-9a-f]{52}", r"\1", text)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
