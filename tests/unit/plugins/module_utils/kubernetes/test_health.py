# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Reasons in words, from objects in the shapes that a real kubelet and controllers wrote."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import health


def node(status: str | None, message: str = "") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": status, "message": message}] if status else []
    return {"metadata": {"name": "n"}, "status": {"conditions": conditions}}


def test_nodes() -> None:
    assert health.nodes([node("True")], ["n"]) == []
    assert health.nodes([node("False", "cni plugin not initialized")], ["n", "other"]) == [
        "node other has not joined",
        "node n is not ready: cni plugin not initialized",
    ]
    assert health.node(node(None)) == "node n is not ready: its kubelet has not reported yet"


def daemon_set(**status: int) -> dict[str, Any]:
    well = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    return {"metadata": {"generation": 2}, "spec": {}, "status": {**well, **status}}


@pytest.mark.parametrize(
    ("item", "lack"),
    [
        (None, "Cilium is not installed"),
        (daemon_set(), ""),
        (daemon_set(observedGeneration=1), "Cilium: its last change has not been taken up"),
        (daemon_set(updatedNumberScheduled=1), "Cilium: 1/2 pods are of the wanted version"),
        (daemon_set(numberAvailable=0), "Cilium: 0/2 pods are available"),
        (daemon_set(desiredNumberScheduled=0), "Cilium: there is no node for its pods"),
    ],
)
def test_daemon_sets(item: dict[str, Any] | None, lack: str) -> None:
    assert health.workload(item, "Cilium") == lack


def test_deployments() -> None:
    item: dict[str, Any] = {"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1}}
    assert health.workload(item, "Operator") == "Operator: 0/2 pods are of the wanted version"
    item["status"] |= {"updatedReplicas": 2, "availableReplicas": 1}
    assert health.workload(item, "Operator") == "Operator: 1/2 pods are available"
    item["status"]["availableReplicas"] = 2
    assert health.workload(item, "Operator") == ""


def pod(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    containers = [{"name": "agent", "state": state, "ready": False, **more}]
    return {"metadata": {"name": "cilium-x"}, "status": {"initContainerStatuses": containers}}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"waiting": {"reason": "ImagePullBackOff", "message": "not\nfound"}}, "ImagePullBackOff (not found)"),
        ({"terminated": {"exitCode": 1, "reason": "Error"}}, "ended with 1 (Error)"),
    ],
)
def test_a_pod_says_what_its_container_says(state: dict[str, Any], words: str) -> None:
    assert health.pod(pod(state)) == f"pod cilium-x, container agent: {words}"


def test_a_pod_that_has_no_place_says_so() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    item = {"metadata": {"name": "x"}, "status": {"conditions": [condition]}}
    assert health.pod(item) == "pod x: 0/1 nodes are available"
    assert health.pod(pod({"running": {}})) == ""


def test_the_log_that_may_tell_why() -> None:
    assert health.broken_container(pod({"terminated": {"exitCode": 1}})) == ("agent", False)
    assert health.broken_container(pod({"waiting": {}}, restartCount=3)) == ("agent", True)
    assert health.broken_container(pod({"waiting": {}}, restartCount=0)) is None
    assert health.broken_container(pod({"running": {}})) == ("agent", False)


def test_the_version_is_the_tag_of_the_image() -> None:
    def workload(image: str) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}

    assert health.image_version(workload("registry:5000/cilium/cilium:v1.20.2@sha256:aa")) == "1.20.2"
    assert health.image_version(workload("registry:5000/cilium/cilium")) == ""
    assert health.image_version(None) == ""
