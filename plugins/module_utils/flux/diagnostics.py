# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read why what Flux applied does not become healthy. Private: it may change without notice."""

from __future__ import annotations

from typing import Any

from ..kubernetes import health
from ..kubernetes.client import Cluster
from ..kubernetes.pod_diagnostics import last_events, pod_details
from . import dependencies as links
from .dependencies import Key
from .readiness import State, runs_pods
from .report import unwell

_PODS_SHOWN = 3


def read(cluster: Cluster, states: list[State]) -> dict[Key, list[str]]:
    """Return for each object that checks the health of pods what those that fail say."""
    return {state.key: _of(cluster, state) for state in unwell(states) if runs_pods(state)}


def _of(cluster: Cluster, state: State) -> list[str]:
    lines = []
    for namespace, names in sorted(links.workloads(state.key, state.item, state.reason).items()):
        items = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        failing = [pod for pod in items if (pod.get("status") or {}).get("phase") != "Succeeded" and health.pod(pod)]
        # Pods of an operator's objects need not have their names.
        failing = [pod for pod in failing if _is_of(pod, names)] or failing
        lines += [line for pod in failing[:_PODS_SHOWN] for line in pod_details(cluster, pod)]
        lines += [health.pod(pod) for pod in failing[_PODS_SHOWN:]]
        if not failing:
            # Pods that are refused, by pod security or a quota, are not there.
            lines += last_events(cluster, namespace, "type=Warning")
    return lines


def _is_of(pod: dict[str, Any], names: set[str]) -> bool:
    return any(pod["metadata"]["name"].startswith(name) for name in names)
