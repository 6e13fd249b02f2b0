# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a wait for Flux remembers: when each service began, and how it failed before. Pure."""

from __future__ import annotations

import re

from .readiness import Key, State, owner_of

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Clock:
    """Memory between two reads of the states. Times are seconds of a monotonic clock."""

    def __init__(self, start: float) -> None:
        """Start with the wait."""
        self._start = start
        self._began: dict[tuple[Key, tuple[int, str]], float] = {}
        self._failures: dict[tuple[Key, tuple[int, str]], tuple[str, str]] = {}
        self.took: dict[Key, float] = {}
        """Seconds from the start of the wait until each was ready."""

    def look(self, states: list[State], now: float) -> list[State]:
        """Return the states with what is remembered; what failed is final when its time is over.

        Flux retries after most failures, and then reports progress: a failure is final only when the spec.timeout
        of the Kustomization has passed, counted from when its dependencies became ready.
        """
        return [self._look(state, now) for state in states]

    def _look(self, state: State, now: float) -> State:
        if not state.reason:
            self.took.setdefault(state.key, now - self._start)
            return state
        self.took.pop(state.key, None)
        this = state.key, state.attempt
        if state.is_blocked:
            # Its time has not begun, and what it waits for is not its own failure.
            self._began.pop(this, None)
            return state
        self._began.setdefault(this, now)
        if state.failing:
            self._failures[this] = state.reason, state.code
        elif this in self._failures:
            # During a retry its last failure says more.
            reason, code = self._failures[this]
            state = state._replace(reason=reason, code=code)
        is_over = 0 < limit(state) <= now - self._began[this]
        if state.state == "waiting" and is_over and this in self._failures:
            return state._replace(state="failed")
        return state

    def next(self, states: list[State], now: float) -> float | None:
        """Return when the time of the next service is over, None if that of none is."""
        ends = [
            self._began[state.key, state.attempt] + limit(state)
            for state in states
            if state.state == "waiting" and limit(state) and (state.key, state.attempt) in self._began
        ]
        return min((end for end in ends if end > now), default=None)


def limit(state: State) -> float:
    """Return the seconds that a Kustomization gives its service, 0 if it does not say."""
    text = (state.item.get("spec") or {}).get("timeout", "") if state.key.kind == "Kustomization" else ""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", text))


def is_decided(states: list[State]) -> bool:
    """Return whether nothing is left to wait for: each is ready, or lost with what failed or is suspended."""
    by_key = {state.key: state for state in states}

    def is_lost(state: State, seen: frozenset[Key]) -> bool:
        name = owner_of(state.item) if state.item else None
        owner = by_key.get(name) if name else None
        if state.state in ("failed", "suspended") or (owner and owner.state == "failed"):
            return True
        others = [by_key[key] for key in state.waits_for if key in by_key and key not in seen]
        return any(is_lost(other, seen | {other.key}) for other in others)

    return all(is_lost(state, frozenset({state.key})) for state in states if state.state == "waiting")
