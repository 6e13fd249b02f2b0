# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make the objects that test a mesh, ask through them, and remove them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...kubernetes import health
from ...kubernetes.apply import Applier, Change
from ...kubernetes.client import ApiError, Cluster
from ...kubernetes.exec import ExecError, Pods
from ..chart import CONFIG, MANAGER
from . import objects

_NAMESPACES = "/api/v1/namespaces"
_PODS = f"{_NAMESPACES}/{objects.NAMESPACE}/pods"
_GET = ["/testserver", "get", f"http://{objects.SERVER}/"]
_PAUSE_SECONDS = 0.2  # after a wrong answer


class ProbeError(Exception):
    """The test cannot be made; the text says why."""


@dataclass
class Probe:
    """The test's objects in the cluster of this name; seconds: how long each wait may take."""

    cluster: Cluster
    pods: Pods
    name: str
    image: str
    seconds: int

    def identify(self, namespace: str, context: str, kubeconfig: str) -> None:
        """Raise ProbeError when this is another cluster, or the test's namespace is not the test's."""
        config = self.cluster.get(f"{_NAMESPACES}/{namespace}/configmaps/{CONFIG}")
        if config is None:
            raise ProbeError(f"There is no Cilium in namespace {namespace} of {self.cluster.host}: install it first")
        other = config["data"].get("cluster-name")
        if other != self.name:
            found = f"expected cluster '{self.name}' behind context {context}, found '{other}'"
            raise ProbeError(f"{found}: check kubeconfig {kubeconfig}")
        self.namespace()

    def namespace(self) -> dict[str, Any] | None:
        """Return the test's namespace; raise ProbeError when somebody else made it."""
        found = self.cluster.get(f"{_NAMESPACES}/{objects.NAMESPACE}")
        if found and not objects.OWNER.items() <= (found["metadata"].get("labels") or {}).items():
            label = "=".join(*objects.OWNER.items())
            raise ProbeError(
                f"Namespace {objects.NAMESPACE} of cluster {self.name} was not created by this test "
                f"(no label {label}); remove it, or give it the label if the test may remove it"
            )
        return found

    def apply(self, mode: str, check: bool = False) -> list[Change]:
        """Make the objects be as a mode needs them, and wait for their pods."""
        wanted = objects.MODES[mode]
        found = self.namespace()
        if found and found["metadata"].get("deletionTimestamp") and not check:
            self.gone()
        applier = Applier(self.cluster, MANAGER, force=True, check=check)
        changes = applier.apply(objects.manifests(self.name, self.image, wanted.affinity, wanted.replicas))
        if not check:
            self.ready(wanted.replicas)
        return changes

    def ready(self, servers: int) -> None:
        """Wait until the client and so many servers are ready; raise ProbeError with what is not."""

        def well(pods: list[dict[str, Any]]) -> bool:
            names = [pod["metadata"]["labels"]["app"] for pod in pods if _is_ready(pod)]
            return sorted(names) == [objects.CLIENT, *[objects.SERVER] * servers]

        done, pods = self.cluster.wait(_PODS, well, self.seconds, labelSelector="app")
        if not done:
            words = [text for text in map(health.pod, pods) if text] or [f"{len(pods)} pods, wanted {servers + 1}"]
            raise ProbeError(f"After {self.seconds} s the pods of {self.name} are not as wanted: {'; '.join(words)}")

    def check(self, mode: str, peers: Iterable[str], count: int) -> tuple[dict[str, Any], str]:
        """Ask in one mode; return the check and in words what is wrong."""
        self.apply(mode)
        judge = objects.Judge(objects.expected(mode, self.name, peers), count)
        start = time.monotonic()
        # The datapath takes a changed annotation up a moment later, and nothing tells when: only repeating shows it.
        while not judge.done and (judge.settled or time.monotonic() - start < self.seconds):
            judge.hear(self.ask())
            if not judge.row:
                time.sleep(_PAUSE_SECONDS)
        seconds = round(time.monotonic() - start, 1)
        names = ", ".join(sorted(judge.expected))
        shown = {"name": mode, "ok": judge.ok, "expected": names, "found": judge.found, "seconds": seconds}
        return shown, judge.wrong(mode, self.name, seconds)

    def ask(self) -> str:
        """Return who answers one request of the client, or why nobody does."""
        try:
            return objects.said(*self.pods.run(objects.NAMESPACE, objects.CLIENT, objects.CLIENT, _GET, 10))
        except ExecError as error:
            return f"error: {error}"

    def remove(self, check: bool = False) -> bool:
        """Remove all, and wait until it is gone; return whether there was something."""
        if self.namespace() is None:
            return False
        if not check:
            try:
                self.cluster.request("DELETE", f"{_NAMESPACES}/{objects.NAMESPACE}")
            except ApiError as error:
                if error.status != 404:
                    raise
            self.gone()
        return True

    def gone(self) -> None:
        """Wait until the namespace is gone; raise ProbeError with what holds it."""
        where = {"fieldSelector": f"metadata.name={objects.NAMESPACE}"}
        done, left = self.cluster.wait(_NAMESPACES, lambda items: not items, self.seconds, **where)
        if not done:
            conditions = [each for item in left for each in item["status"].get("conditions") or []]
            words = [each["message"] for each in conditions if each["status"] == "True"] or ["it says no reason"]
            what = f"Namespace {objects.NAMESPACE} of {self.name}"
            raise ProbeError(f"{what} is not gone after {self.seconds} s: {'; '.join(words)}")


def _is_ready(pod: dict[str, Any]) -> bool:
    ready = health.condition(pod, "Ready").get("status") == "True"
    return ready and not pod["metadata"].get("deletionTimestamp")
