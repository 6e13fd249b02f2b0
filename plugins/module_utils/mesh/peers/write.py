# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read what connects a cluster with its peers, write it step by step, set it back when a step fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from ...kubernetes.client import ApiError, Cluster, Unreachable
from ...kubernetes.manifests import Manifest
from ...kubernetes.rollout import wait_for_workload
from ..chart import AGENT_SECRET, CONFIG, DEPLOYMENT, KVSTOREMESH_SECRET, USERS
from .steps import Step, undo

AGENTS = "cilium"
_PLURALS = {"Secret": "api/v1/{}/secrets", "ConfigMap": "api/v1/{}/configmaps"}
_PLURALS |= {"Deployment": "apis/apps/v1/{}/deployments", "DaemonSet": "apis/apps/v1/{}/daemonsets"}
_READ = {CONFIG: "ConfigMap", USERS: "ConfigMap", AGENT_SECRET: "Secret", KVSTOREMESH_SECRET: "Secret"}
_READ |= {DEPLOYMENT: "Deployment", AGENTS: "DaemonSet"}
_ANNOTATION = "cilium-clustermesh-ansible/peers-written-at"
_PODS = "k8s-app in (cilium,clustermesh-apiserver)"
_WORKERS = 8
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"


class WriteFailed(Exception):
    """A step failed; the text says which, why, and what became of the steps before it."""

    def __init__(self, text: str, rolled_back: bool) -> None:
        super().__init__(text)
        self.rolled_back = rolled_back


def path(kind: str, namespace: str, name: str = "") -> str:
    """Return the path of a kind's list, or of one object."""
    return f"/{_PLURALS[kind].format(f'namespaces/{namespace}')}" + (f"/{name}" if name else "")


def read(cluster: Cluster, namespace: str) -> dict[str, Manifest]:
    """Return by name the objects that are there: configuration, users, Secrets, Deployment, DaemonSet of the agents."""
    with ThreadPoolExecutor(len(_READ)) as pool:
        found = pool.map(lambda name: cluster.get(path(_READ[name], namespace, name)), _READ)
        return {name: item for name, item in zip(_READ, found, strict=True) if item}


def rollout(cluster: Cluster, namespace: str, seconds: int) -> str:
    """Wait until clustermesh-apiserver is rolled out; return what is missing when the time is over."""
    return wait_for_workload(cluster, path("Deployment", namespace), DEPLOYMENT, seconds)


def nudge(cluster: Cluster, namespace: str, now: datetime) -> None:
    """Annotate the pods of Cilium, so that kubelets refresh their mounted Secrets at once instead of after a minute.

    A pod that cannot be annotated sees the change a minute later.
    """
    pods = f"/api/v1/namespaces/{namespace}/pods"
    body = {"metadata": {"annotations": {_ANNOTATION: now.isoformat()}}}

    def annotate(name: str) -> None:
        with contextlib.suppress(ApiError):
            cluster.request("PATCH", f"{pods}/{name}", {}, body, content_type=_MERGE)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(annotate, [pod["name"] for pod in cluster.names(pods, _PODS)]))


@dataclass
class Writer:
    """Sends steps to one cluster as one field manager; in check mode only as dry runs."""

    cluster: Cluster
    namespace: str
    manager: str
    force: bool = False
    check: bool = False
    rollback: bool = True
    objects: dict[str, Manifest] = field(default_factory=dict)  # by name, as they are now

    def write(self, steps: Iterable[Step]) -> None:
        """Send the steps in order. Raise WriteFailed when one fails, after setting the others back."""
        done: list[tuple[Step, Manifest | None]] = []
        for step in steps:
            before = self.objects.get(step.name)
            try:
                after = self._send(step)
            except (ApiError, Unreachable) as error:
                raise self._failed(step, error, done) from error
            done.append((step, before))
            if not self.check:
                self.objects[step.name] = after

    def _send(self, step: Step) -> Manifest:
        query = {"fieldManager": self.manager, **({"dryRun": "All"} if self.check else {})}
        if not step.merge:
            query["force"] = str(self.force).lower()
        kind = _MERGE if step.merge else _APPLY
        return self.cluster.request(
            "PATCH", path(step.kind, self.namespace, step.name), query, step.body, content_type=kind
        )

    def _failed(self, step: Step, error: Exception, done: list[tuple[Step, Manifest | None]]) -> WriteFailed:
        text = f"{step.kind} {step.name} in namespace {self.namespace} cannot be written: {error}"
        if self.check or not done:
            return WriteFailed(f"{text}; nothing was changed", False)
        if not self.rollback:
            return WriteFailed(f"{text}; the earlier writes are kept, and the next run completes them", False)
        for written, before in reversed(done):
            try:
                self._undo(written, before)
            except (ApiError, Unreachable) as second:
                rest = f"{written.kind} {written.name} cannot be rolled back: {second}; the next run repairs it"
                return WriteFailed(f"{text}; {rest}", False)
        return WriteFailed(f"{text}; the earlier writes are rolled back", True)

    def _undo(self, step: Step, before: Manifest | None) -> None:
        """Set one object back, unless somebody else changed it meanwhile."""
        where = path(step.kind, self.namespace, step.name)
        version = {"resourceVersion": self.objects[step.name]["metadata"]["resourceVersion"]}
        if before is None:
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": version}
            self.cluster.request("DELETE", where, {}, options)
            return
        made = undo(step, before, self.manager)
        made["metadata"] |= version
        query = {"fieldManager": self.manager}
        self.objects[step.name] = self.cluster.request("PATCH", where, query, made, content_type=_APPLY)
