# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_probe against a real API server; controllers, kubelet and datapath are stand-ins."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster

import mesh_objects
from api_server import ApiServer
from stand_in_kubelet import stand_in_kubelet

Run = Callable[..., dict[str, Any]]
MODULE = "cilium_clustermesh_probe"
SPACE = "/api/v1/namespaces/opendata-mesh-test"
DEPLOYMENT = "/apis/apps/v1/namespaces/opendata-mesh-test/deployments/server"
CONFIG = "/api/v1/namespaces/kube-system/configmaps"
NODE = "probe-node"
MERGE = "application/merge-patch+json"
BOTH = ["a", "b"]


class StandIn:
    """What controllers, scheduler, kubelet and Cilium do, as little of it as the module needs."""

    def __init__(self, server: ApiServer) -> None:
        self.api, self.server, self.kubeconfig = Cluster(str(server.kubeconfig)), server, str(server.kubeconfig)
        self.asking = Cluster(self.kubeconfig)
        self.peers = ["b"]
        self.affinities: list[str] = []  # as each request found them
        self.late = 0  # requests that still see no affinity
        self.waits: dict[str, Any] = {}  # status of containers that do not start
        self.stop = threading.Event()

    def work(self) -> None:
        """Act until `stop` is set."""
        while not self.stop.wait(0.05):
            with contextlib.suppress(ApiError):
                self.act()

    def act(self) -> None:
        space = self.api.get(SPACE)
        if space and space["metadata"].get("deletionTimestamp"):
            self.finalize(space)
            return
        deployment = self.api.get(DEPLOYMENT)
        if deployment is None:
            return
        pod = self.api.get(f"{SPACE}/pods/server-x")
        if deployment["spec"]["replicas"] and pod is None:
            template = deployment["spec"]["template"]
            metadata = {"name": "server-x", **template["metadata"]}
            self.api.request("POST", f"{SPACE}/pods", body={"metadata": metadata, "spec": template["spec"]})
        elif not deployment["spec"]["replicas"] and pod:
            self.api.request("DELETE", f"{SPACE}/pods/server-x", {"gracePeriodSeconds": 0})
        for pod in self.api.request("GET", f"{SPACE}/pods")["items"]:
            self.start(pod)

    def start(self, pod: dict[str, Any]) -> None:
        path = f"{SPACE}/pods/{pod['metadata']['name']}"
        if not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}}
            node = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            self.api.request("POST", f"{path}/binding", body={**target, "target": node})
        ready = "False" if self.waits else "True"
        containers = [{"name": "server", "image": "x", "imageID": "", "ready": False, "restartCount": 0, **self.waits}]
        status = {"conditions": [{"type": "Ready", "status": ready}], "phase": "Running"}
        status |= {"containerStatuses": containers} if self.waits else {}
        self.api.request("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE)

    def finalize(self, space: dict[str, Any]) -> None:
        for path in (f"{SPACE}/pods/server-x", f"{SPACE}/pods/client", f"{SPACE}/services/server", DEPLOYMENT):
            if self.api.get(path):
                self.api.request("DELETE", path, {"gracePeriodSeconds": 0})
        space["spec"]["finalizers"] = []
        self.api.request("PUT", f"{SPACE}/finalize", body=space)

    def answer(self, command: list[str]) -> tuple[str, str, int]:
        """Answer in turn from the backends that the Service chooses; the model of a datapath."""
        assert command == ["/testserver", "get", "http://server/"]
        affinity = self.asking.get(f"{SPACE}/services/server")["metadata"]["annotations"]["service.cilium.io/affinity"]
        self.affinities.append(affinity)
        self.late -= 1
        affinity = "none" if self.late >= 0 else affinity
        own = ["a"] if self.asking.get(DEPLOYMENT)["spec"]["replicas"] else []
        chosen = {"none": [*own, *self.peers], "local": own or self.peers, "remote": self.peers or own}[affinity]
        if not chosen:
            return "", 'testserver: Get "http://server/": connection refused\n', 1
        name = chosen[len(self.affinities) % len(chosen)]
        return f"200 OK 1ms {name} pod=server-x from=10.0.0.1:1\n", "", 0


@pytest.fixture
def cluster(server: ApiServer, tmp_path: Path) -> Iterator[StandIn]:
    """Cluster a, whose peer b answers as well."""
    found = StandIn(server)
    with contextlib.suppress(ApiError):
        found.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "kube-system"}})
    with stand_in_kubelet(tmp_path, found.answer) as port:
        node = mesh_objects.node(NODE, "127.0.0.1")
        status = {
            "addresses": [{"type": "Hostname", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        found.api.request("POST", "/api/v1/nodes", body={"metadata": node["metadata"]})
        found.api.request("PATCH", f"/api/v1/nodes/{NODE}/status", body={"status": status}, content_type=MERGE)
        found.api.request("POST", CONFIG, body=mesh_objects.config())
        thread = threading.Thread(target=found.work)
        thread.start()
        yield found
        if found.api.get(SPACE):
            found.api.request("DELETE", SPACE)
            gone = {"fieldSelector": "metadata.name=opendata-mesh-test"}
            assert found.api.wait("/api/v1/namespaces", lambda items: not items, 20, **gone)[0]
        found.stop.set()
        thread.join()
        found.api.request("DELETE", f"{CONFIG}/cilium-config")
        found.api.request("DELETE", f"/api/v1/nodes/{NODE}")


def module(run: Run, cluster: StandIn, check: bool = False, **options: Any) -> dict[str, Any]:
    wanted = {"name": "a", "requests": 3, "wait_timeout": 10, **options}
    return run(MODULE, check=check, kubeconfig=cluster.kubeconfig, **wanted)


def verdicts(result: dict[str, Any]) -> dict[str, bool]:
    return {each["name"]: each["ok"] for each in result["checks"]}


def test_made_probed_removed_and_each_a_second_time(cluster: StandIn, run: Run) -> None:
    made = module(run, cluster)
    assert (made["changed"], made["counts"]["created"]) == (True, 4)
    before = len(cluster.server.writes())
    assert module(run, cluster)["changed"] is False
    assert [each for each in cluster.server.writes()[before:] if "fieldManager" in each] == []

    result = module(run, cluster, state="probed", peers=BOTH)
    assert result.get("failed") is None, result
    assert result["changed"] is False
    assert verdicts(result) == {"all": True, "local": True, "remote": True, "fallback": True}
    assert [each["expected"] for each in result["checks"]] == ["a, b", "a", "b", "b"]
    assert cluster.affinities == [*["none"] * 6, *["local"] * 6, *["remote"] * 6, *["local"] * 6]
    service, deployment = cluster.api.get(f"{SPACE}/services/server"), cluster.api.get(DEPLOYMENT)
    assert service["metadata"]["annotations"]["service.cilium.io/affinity"] == "none"
    assert deployment["spec"]["replicas"] == 1

    assert module(run, cluster, state="absent")["changed"] is True
    assert cluster.api.get(SPACE) is None
    assert module(run, cluster, state="absent")["changed"] is False


def test_an_annotation_that_takes_a_moment_is_waited_for(cluster: StandIn, run: Run) -> None:
    cluster.late = 4
    result = module(run, cluster, state="probed", peers=BOTH, modes=["local"])
    assert verdicts(result) == {"local": True}
    assert len(cluster.affinities) > 6


def test_a_datapath_that_never_follows_fails(cluster: StandIn, run: Run) -> None:
    cluster.late = 10**6
    result = module(run, cluster, state="probed", peers=BOTH, modes=["local"], wait_timeout=2)
    assert result["failed"] is True
    assert "cluster a, mode local: expected answers from a only in 2 s, found a " in result["msg"]


def test_every_mode_in_which_a_peer_does_not_answer_is_reported(cluster: StandIn, run: Run) -> None:
    result = module(run, cluster, state="probed", peers=["b", "nowhere"], wait_timeout=2)
    assert result["failed"] is True
    assert verdicts(result) == {"all": False, "local": True, "remote": False, "fallback": False}
    assert len(result["wrong"]) == 3
    assert all("; nothing from nowhere" in words for words in result["wrong"])
    assert result["msg"].endswith("(gather status, traffic) shows the status of the peers in the agents.")
    assert cluster.api.get(DEPLOYMENT)["spec"]["replicas"] == 1


def test_a_cluster_of_another_mesh_that_answers_is_wrong(cluster: StandIn, run: Run) -> None:
    cluster.peers = ["b", "stranger"]
    result = module(run, cluster, state="probed", peers=BOTH, modes=["all"], wait_timeout=2)
    assert result["failed"] is True
    assert "stranger 1" in result["wrong"][0]


def test_without_any_peer_left_the_error_of_the_request_is_reported(cluster: StandIn, run: Run) -> None:
    cluster.peers = []
    result = module(run, cluster, state="probed", peers=BOTH, modes=["fallback"], wait_timeout=2)
    assert 'found error: Get "http://server/": connection refused 3; nothing from b' in result["wrong"][0]


def test_pods_that_do_not_start_are_reported_with_their_reason(cluster: StandIn, run: Run) -> None:
    cluster.waits = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    result = module(run, cluster, wait_timeout=2)
    assert result["failed"] is True
    assert result["msg"].startswith("After 2 s the pods of a are not as wanted: ")
    assert "pod server-x, container server: ImagePullBackOff (not found)" in result["msg"]


def test_what_an_earlier_run_is_still_removing_is_waited_for(cluster: StandIn, run: Run) -> None:
    module(run, cluster)
    old = cluster.api.get(SPACE)["metadata"]["uid"]
    cluster.api.request("DELETE", SPACE)
    assert module(run, cluster)["counts"]["created"] == 4
    assert cluster.api.get(SPACE)["metadata"]["uid"] != old


@pytest.mark.parametrize("state", ["present", "probed", "absent"])
def test_a_namespace_that_is_not_ours_is_left_alone(cluster: StandIn, run: Run, state: str) -> None:
    cluster.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "opendata-mesh-test"}})
    result = module(run, cluster, state=state, peers=BOTH)
    assert result["msg"] == (
        "Namespace opendata-mesh-test of cluster a was not created by this test "
        "(no label app.kubernetes.io/managed-by=cilium-clustermesh-ansible); "
        "remove it, or give it the label if the test may remove it."
    )
    assert not cluster.api.get(SPACE)["metadata"].get("deletionTimestamp")


def test_another_cluster_behind_the_kubeconfig_is_refused(cluster: StandIn, run: Run) -> None:
    result = module(run, cluster, name="b")
    where = f"behind context current, found 'a': check kubeconfig {cluster.kubeconfig}."
    assert result["msg"] == f"expected cluster 'b' {where}"
    assert cluster.api.get(SPACE) is None


def test_a_cluster_without_cilium_is_refused(cluster: StandIn, run: Run) -> None:
    result = module(run, cluster, namespace="elsewhere")
    host = f"https://127.0.0.1:{cluster.server.port}"
    assert result["msg"] == f"There is no Cilium in namespace elsewhere of {host}: install it first."


def test_check_mode_writes_nothing(cluster: StandIn, run: Run) -> None:
    before = len(cluster.server.writes())
    assert module(run, cluster, check=True)["counts"]["created"] == 4
    assert module(run, cluster, check=True, state="probed", peers=BOTH)["checks"] == []
    assert module(run, cluster, check=True, state="absent")["changed"] is False
    assert cluster.server.writes()[before:] == []
    module(run, cluster)
    assert module(run, cluster, check=True, state="absent")["changed"] is True
    assert cluster.api.get(SPACE)
