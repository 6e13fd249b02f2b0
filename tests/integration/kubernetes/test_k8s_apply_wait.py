# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module k8s_apply waits for what it applied: a real API server, and a stand-in for its controllers and kubelet."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
MERGE = "application/merge-patch+json"
PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}
WELL = {
    "Deployment": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1},
    "DaemonSet": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
}
# What the API server wants of every status of a DaemonSet.
COUNTS = {"currentNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 0}


class Controller:
    """A stand-in: writes the statuses that a test tells it, in a namespace of its own."""

    def __init__(self, server: ApiServer) -> None:
        self.api, self.kubeconfig = Cluster(str(server.kubeconfig)), str(server.kubeconfig)
        self.namespace = f"wait-{uuid.uuid4().hex[:8]}"
        self.threads: list[threading.Thread] = []
        self.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": self.namespace}})

    def list_path(self, kind: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{PLURALS[kind]}"

    def say(self, kind: str, name: str, generation: int = 1, **status: int) -> None:
        """Write the status of a workload that is there."""
        status = {**(COUNTS if kind == "DaemonSet" else {}), "observedGeneration": generation, **status}
        path = f"{self.list_path(kind)}/{name}/status"
        self.api.request("PATCH", path, body={"status": status}, content_type=MERGE)

    def roll_out(self, kind: str, name: str) -> None:
        """Say that a workload is coming, then that it is there, as soon as it was applied."""
        api = Cluster(self.kubeconfig)

        def work() -> None:
            assert api.wait(self.list_path(kind), bool, 20, fieldSelector=f"metadata.name={name}")[0]
            self.say(kind, name, **{**WELL[kind], "availableReplicas": 0, "numberAvailable": 0})
            self.say(kind, name, **WELL[kind])

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def pod(self, name: str, app: str, **state: Any) -> None:
        """A pod whose only container is in this state."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        spec = {"containers": [{"name": "main", "image": "x"}]}
        self.api.request("POST", path, body={"metadata": {"name": name, "labels": {"app": app}}, "spec": spec})
        container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        status = {"phase": "Pending", "containerStatuses": [container]}
        self.api.request("PATCH", f"{path}/{name}/status", body={"status": status}, content_type=MERGE)


@pytest.fixture
def controller(server: ApiServer) -> Iterator[Controller]:
    found = Controller(server)
    yield found
    for thread in found.threads:
        thread.join()


def workload(controller: Controller, kind: str, name: str, image: str = "x") -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    metadata = {"name": name, "namespace": controller.namespace}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def apply(
    run: Run, controller: Controller, *names: tuple[str, str], check: bool = False, **more: Any
) -> dict[str, Any]:
    """Run the module with such workloads, and an object that is never rolled out."""
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": controller.namespace}}
    manifests = [other, *(workload(controller, kind, name) for kind, name in names)]
    return run("k8s_apply", check=check, kubeconfig=controller.kubeconfig, manifests=manifests, **more)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_returns_when_all_is_rolled_out(controller: Controller, run: Run, kind: str) -> None:
    controller.roll_out(kind, "web")
    result = apply(run, controller, (kind, "web"), wait=True, wait_timeout=20)
    assert result.get("failed") is None, result
    assert result["counts"]["created"] == 2
    status = controller.api.request("GET", f"{controller.list_path(kind)}/web")["status"]
    assert WELL[kind].items() <= status.items(), "it came back before the status did"
    again = apply(run, controller, (kind, "web"), wait=True, wait_timeout=1)
    assert (again.get("failed"), again["changed"]) == (None, False)


def test_what_is_not_rolled_out_is_reported_with_the_reason_of_its_pods(controller: Controller, run: Run) -> None:
    controller.pod("web-x", "web", waiting={"reason": "ImagePullBackOff", "message": "not found"})
    controller.pod("other-x", "other", waiting={"reason": "ImagePullBackOff", "message": "not asked for"})
    wanted = [("Deployment", "web"), ("DaemonSet", "agent")]
    assert apply(run, controller, *wanted)["counts"]["created"] == 3
    controller.say("Deployment", "web", **{**WELL["Deployment"], "availableReplicas": 0})
    controller.say("DaemonSet", "agent", **{**WELL["DaemonSet"], "updatedNumberScheduled": 1})
    result = apply(run, controller, *wanted, wait=True, wait_timeout=1)
    assert result["failed"] is True
    assert sorted(result["findings"]) == [
        f"DaemonSet {controller.namespace}/agent: 1/2 pods are of the wanted version",
        f"Deployment {controller.namespace}/web: 0/1 pods are available",
        "pod web-x, container main: ImagePullBackOff (not found)",
    ]
    lines = ["Not rolled out after 1 s:", *result["findings"], "Fix what is named and run again."]
    assert result["msg"] == "\n".join(lines)


def test_a_change_that_no_controller_has_seen_is_not_rolled_out(controller: Controller, run: Run) -> None:
    apply(run, controller, ("Deployment", "web"))
    controller.say("Deployment", "web", **WELL["Deployment"])
    changed = workload(controller, "Deployment", "web", image="y")
    result = run("k8s_apply", kubeconfig=controller.kubeconfig, manifests=[changed], wait=True, wait_timeout=1)
    assert result["findings"] == [f"Deployment {controller.namespace}/web: its last change has not been taken up"]


def test_nothing_is_waited_for_unasked_or_in_check_mode(controller: Controller, run: Run) -> None:
    assert apply(run, controller, ("Deployment", "web")).get("failed") is None
    planned = apply(run, controller, ("Deployment", "web"), check=True, wait=True, wait_timeout=1)
    assert (planned.get("failed"), planned["counts"]["unchanged"]) == (None, 2)
