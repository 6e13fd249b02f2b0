# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Watch what Flux delivers in one cluster, remember when each service began, read why it does not become healthy."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..kubernetes import health
from ..kubernetes.client import ApiError, Cluster, Unreachable
from ..kubernetes.rollout import last_events, pod_details
from . import report
from .readiness import GROUPS, Key, State, owner_of, runs_pods, workloads

Judge = Callable[[dict[str, list[dict[str, Any]]]], list[State]]
# Modules cannot print; the action plugin displays the messages of this logger.
PROGRESS = logging.getLogger("opendata.platform.flux_ready")
SPEAK_SECONDS = 10
_AGAIN_SECONDS = 1
_REFUSED = (401, 403)
_PODS_SHOWN = 3
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Flux:
    """The objects of Flux in one cluster, read once or watched."""

    def __init__(self, cluster: Cluster, namespace: str, judge: Judge) -> None:
        """Discover the kinds that the cluster serves."""
        self._cluster, self._namespace, self._judge = cluster, namespace, judge
        self._changed = threading.Condition()
        self._found: dict[str, list[dict[str, Any]]] = {}
        self._lost: dict[str, Exception] = {}
        self._is_over = False
        self._paths = self._discover()

    def read(self) -> list[State]:
        """Return the current states; Kustomizations are read first, then what they applied."""
        self._paths = self._discover()
        return self._judge({kind: self._cluster.request("GET", path)["items"] for kind, path in self._paths.items()})

    def settle(self, seconds: float) -> tuple[list[State], dict[Key, float]]:
        """Wait until everything is ready, nothing is left to wait for, or the time is over.

        Returns the states, and the seconds until each object was ready.
        """
        start = time.monotonic()
        clock, deadline = Clock(start), start + seconds
        watched: set[str] = set()
        try:
            while True:
                for kind in self._paths.keys() - watched:
                    # A thread that waits for its server must not keep the process alive.
                    threading.Thread(target=self._follow, args=(kind, deadline), daemon=True).start()
                    watched.add(kind)
                states = self._wait(clock, deadline)
                if report.unhealthy(states):
                    return states, clock.took
                # One watch may lag behind another.
                try:
                    states = clock.look(self.read(), time.monotonic())
                    if not report.unhealthy(states) or time.monotonic() >= deadline:
                        return states, clock.took
                except (ApiError, Unreachable) as error:
                    if time.monotonic() >= deadline or _is_refusal(error):
                        raise
                with self._changed:
                    self._changed.wait(_AGAIN_SECONDS)
        finally:
            self._is_over = True

    def _wait(self, clock: Clock, deadline: float) -> list[State]:
        """Judge each change until the watches show an end, or the time is over; log the progress."""
        said, spoken = "", time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                for error in self._lost.values():
                    if now >= deadline or _is_refusal(error):
                        raise error
                is_known = self._found.keys() >= self._paths.keys()
                if not is_known and now >= deadline:
                    return clock.look(self.read(), now)
                states = clock.look(self._judge(self._found), now) if is_known else []
                if now >= deadline or (is_known and is_decided(states)):
                    return states
                line = next((str(error) for error in self._lost.values()), report.progress(states))
                if line != said and now >= spoken + SPEAK_SECONDS:
                    PROGRESS.info(line)
                    said, spoken = line, now
                wake = spoken + SPEAK_SECONDS if line != said else deadline
                self._changed.wait(min(deadline, wake, clock.next(states, now) or deadline) - now)

    def _follow(self, kind: str, deadline: float) -> None:
        """Watch one kind until the end, and reconnect when the connection is lost."""
        while not self._is_over and time.monotonic() < deadline:
            try:
                self._cluster.wait(self._paths[kind], partial(self._see, kind), deadline - time.monotonic())
            except (ApiError, Unreachable) as error:
                with self._changed:
                    self._lost[kind] = error
                    self._changed.notify_all()
            time.sleep(_AGAIN_SECONDS)

    def _see(self, kind: str, items: list[dict[str, Any]]) -> bool:
        with self._changed:
            self._found[kind] = items
            self._lost.pop(kind, None)
            self._changed.notify_all()
        return self._is_over

    def _discover(self) -> dict[str, str]:
        """Return the path of each kind's list; of several versions the first, which is the preferred one."""
        paths: dict[str, str] = {}
        for (api, kind), resource in self._cluster.discover().items():
            if GROUPS.get(kind) == api.partition("/")[0]:
                paths.setdefault(kind, resource.path(self._namespace if kind == "Kustomization" else ""))
        return {kind: paths[kind] for kind in GROUPS if kind in paths}


def _is_refusal(error: Exception) -> bool:
    """Return whether a retry is pointless; a server that is busy or restarts answers later."""
    return isinstance(error, ApiError) and error.status in _REFUSED


def diagnose(cluster: Cluster, states: list[State]) -> dict[Key, list[str]]:
    """Return the messages of failing pods, for each object that checks the health of pods."""
    return {state.key: _of(cluster, state) for state in report.unhealthy(states) if runs_pods(state)}


def _of(cluster: Cluster, state: State) -> list[str]:
    lines = []
    for namespace, names in sorted(workloads(state.key, state.item, state.reason).items()):
        items = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        failing = [pod for pod in items if (pod.get("status") or {}).get("phase") != "Succeeded" and health.pod(pod)]
        # Pods of an operator's objects may have other names.
        failing = [pod for pod in failing if pod["metadata"]["name"].startswith((*names,))] or failing
        lines += [line for pod in failing[:_PODS_SHOWN] for line in pod_details(cluster, pod)]
        lines += [health.pod(pod) for pod in failing[_PODS_SHOWN:]]
        if not failing:
            # Pods that pod security or a quota rejects do not exist.
            lines += last_events(cluster, namespace, "type=Warning")
    return lines


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
