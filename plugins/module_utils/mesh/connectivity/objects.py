# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The objects that test a mesh, a server behind a global Service and a client, and who must answer. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..chart import MANAGER

NAMESPACE = "opendata-mesh-test"
CLIENT, SERVER = "client", "server"
OWNER = {"app.kubernetes.io/managed-by": MANAGER}
_PORT = 8080
_USER = 65532
_ANSWER = re.compile(r"(\S+) pod=\S+ from=\S+$")


class Mode(NamedTuple):
    """A way to ask: the affinity of the own Service, how many own servers run, and who must answer."""

    affinity: str
    replicas: int
    own: bool
    others: bool


MODES = {
    "all": Mode("none", 1, own=True, others=True),
    "local": Mode("local", 1, own=True, others=False),
    "remote": Mode("remote", 1, own=False, others=True),
    "fallback": Mode("local", 0, own=False, others=True),
}


def expected(mode: str, own: str, peers: Iterable[str]) -> frozenset[str]:
    """Return the names of the clusters that must answer in this mode, and nobody else."""
    others = {*peers} - {own} if MODES[mode].others else set()
    return frozenset(others | ({own} if MODES[mode].own else set()))


def said(stdout: str, stderr: str, code: int) -> str:
    """Return the name of the cluster that answered one request, or "error: " and why none did."""
    found = _ANSWER.search(stdout.strip())
    if code == 0 and found:
        return found[1]
    words = (stderr.strip() or stdout.strip() or f"exit status {code}").splitlines()[-1]
    return f"error: {words.removeprefix('testserver: ')}"


@dataclass
class Judge:
    """Hears answers one by one: first until it is as expected, then as many again of which none may be wrong.

    It is as expected when a row of at least ``count`` answers holds every expected name and nothing else.
    """

    expected: frozenset[str]
    count: int
    row: list[str] = field(default_factory=list)  # answers without a wrong one; after settling the confirming ones
    last: list[str] = field(default_factory=list)  # the last answers before settling
    settled: bool = False

    def hear(self, answer: str) -> None:
        """Take one more answer."""
        self.row.append(answer)
        if self.settled:
            return
        self.last = [*self.last, answer][-self.count :]
        if answer not in self.expected:
            self.row = []
        elif len(self.row) >= self.count and self.expected == {*self.row}:
            self.settled, self.row = True, []

    @property
    def done(self) -> bool:
        """Whether nothing more need be asked."""
        return self.settled and len(self.row) >= self.count

    @property
    def ok(self) -> bool:
        """Whether all is as expected, and was confirmed."""
        return self.done and self.expected >= {*self.row}

    @property
    def found(self) -> str:
        """Who answered the last requests, how often: ``north 12, south 8``."""
        counts = Counter(self.row if self.settled else self.last)
        return ", ".join(f"{name} {counts[name]}" for name in sorted(counts)) or "nobody"

    def wrong(self, mode: str, own: str, seconds: float) -> str:
        """Return in words what is not as expected; empty if all is."""
        if self.ok:
            return ""
        who = " and ".join(sorted(self.expected))
        when = "after it had been right" if self.settled else f"in {seconds:.0f} s"
        missing = "" if self.settled else ", ".join(sorted(self.expected - {*self.row, *self.last}))
        silent = f"; nothing from {missing}" if missing else ""
        return f"cluster {own}, mode {mode}: expected answers from {who} only {when}, found {self.found}{silent}"


def manifests(cluster: str, image: str, affinity: str, replicas: int) -> list[dict[str, Any]]:
    """Return what stands in the cluster of this name: its server says that name.

    affinity: none, local or remote; which backends the Service of this cluster prefers, for clients in it.
    """
    labels = {**OWNER, "app": SERVER}
    server = _container(SERVER, image, ["serve", f":{_PORT}", cluster])
    server |= {
        "ports": [{"containerPort": _PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": _PORT}, "periodSeconds": 1},
    }
    deployment = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": SERVER}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(server)},
    }
    service = {"selector": {"app": SERVER}, "ports": [{"port": 80, "targetPort": _PORT}]}
    annotations = {"service.cilium.io/global": "true", "service.cilium.io/affinity": affinity}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {**OWNER, "pod-security.kubernetes.io/enforce": "restricted"},
                # Cilium may be told that namespaces are not global by themselves.
                "annotations": {"clustermesh.cilium.io/global": "true"},
            },
        },
        _object("apps/v1", "Deployment", SERVER, deployment),
        _object("v1", "Service", SERVER, service, annotations=annotations),
        _object("v1", "Pod", CLIENT, _pod(_container(CLIENT, image, ["sleep"])), labels={**OWNER, "app": CLIENT}),
    ]


def _object(version: str, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    head = {"namespace": NAMESPACE, "labels": OWNER, "name": name, **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": head, "spec": spec}


def _container(name: str, image: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "args": arguments,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod(container: dict[str, Any]) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": security,
        "containers": [container],
    }
