# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cluster_check against a real API server, whose nodes and networks the test writes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster

import existing_objects as objects
from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
MERGE = "application/merge-patch+json"
WANTED = {"name": "aws", "cilium_version": "1.20.2", "pod_cidr": "10.244.0.0/16", "service_cidr": "10.250.0.0/24"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


class Place:
    """A cluster in which a test makes objects that are gone after it."""

    def __init__(self, server: ApiServer) -> None:
        self.server, self.api = server, Cluster(str(server.kubeconfig))
        self.made: list[str] = []

    def make(self, path: str, item: dict[str, Any]) -> None:
        """Make one object, with its status."""
        self.api.request("POST", path, body=item)
        self.made.append(f"{path}/{item['metadata']['name']}")
        if "status" in item:
            self.api.request("PATCH", f"{self.made[-1]}/status", body={"status": item["status"]}, content_type=MERGE)

    def writes(self) -> list[str]:
        """What clients wrote; reviews of rights are kept nowhere."""
        return [each for each in self.server.writes() if "selfsubjectaccessreviews" not in each]


@pytest.fixture
def place(server: ApiServer) -> Iterator[Place]:
    """A cluster with one node that has no network."""
    found = Place(server)
    if not found.api.get("/api/v1/namespaces/kube-system"):
        found.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "kube-system"}})
    found.make("/api/v1/nodes", objects.node("a", ready=False))
    yield found
    for path in found.made:
        found.api.request("DELETE", path)


def check(run: Run, place: Place, **options: Any) -> dict[str, Any]:
    return run("cluster_check", **{"kubeconfig": str(place.server.kubeconfig), **WANTED, **options})


def test_a_cluster_without_a_network_is_taken(run: Run, place: Place) -> None:
    before = place.writes()
    result = check(run, place, mesh=True, flux=True)
    assert result.get("failed") is None, result
    found = result["found"]
    assert (found["ipam"], found["cilium_release"], [*found["nodes"]]) == ("cluster-pool", "", ["a"])
    assert found["kubernetes"].startswith("v1.")
    assert place.writes() == before
    assert check(run, place, mesh=True, flux=True) == result


def test_on_loopback_the_api_is_where_its_endpoints_are(run: Run, place: Place) -> None:
    result = check(run, place)
    slices = place.api.request("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    address, port = slices["endpoints"][0]["addresses"][0], slices["ports"][0]["port"]
    assert result["found"]["api"] == {"host": address, "port": port, "source": "EndpointSlice default/kubernetes"}
    [note] = result["notes"]
    assert note.startswith(
        f"aws: Cilium will reach the API server at {address}:{port}, because 127.0.0.1 is an address of this"
    )


def test_the_inventory_says_better_where_the_api_is(run: Run, place: Place) -> None:
    result = check(run, place, endpoint="api.example.org:6443")
    assert result["found"]["api"] == {"host": "api.example.org", "port": 6443, "source": "cluster_endpoint"}
    assert result["notes"] == []


def test_nodes_with_ranges_of_their_own_keep_them(run: Run, place: Place) -> None:
    place.make("/api/v1/nodes", objects.node("b", ready=False, cidr="10.244.1.0/24", address="192.0.2.12"))
    assert check(run, place)["found"]["ipam"] == "kubernetes"


def test_all_faults_at_once(run: Run, place: Place) -> None:
    place.make(DAEMON_SETS, objects.daemon_set("aws-node"))
    result = check(run, place, service_cidr="172.20.0.0/16", pod_cidr="192.0.2.0/24")
    assert result["failed"]
    said = result["msg"].splitlines()
    assert [line.split(" (")[0] for line in said] == [
        "aws: the VPC CNI of AWS is its network plugin",
        "aws: cluster_service_cidr is 172.20.0.0/16, but its Services have addresses from 10.250.0.0/24",
        "aws: cluster_pod_cidr 192.0.2.0/24 contains the addresses of a",
    ]


def test_a_network_that_is_kept(run: Run, place: Place) -> None:
    refused = check(run, place, cilium=False)["msg"]
    assert refused.startswith("aws: has no network, but cilium_enabled is false: a have no network plugin")
    ready = objects.node("a")["status"]
    place.api.request("PATCH", "/api/v1/nodes/a/status", body={"status": ready}, content_type=MERGE)
    place.make(DAEMON_SETS, objects.daemon_set("netd"))
    assert check(run, place, cilium=False).get("failed") is None


def user(place: Place, directory: Path, token: str) -> str:
    """A kubeconfig of another user."""
    config = yaml.safe_load(place.server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (directory / "kubeconfig").write_text(yaml.safe_dump(config))
    return str(directory / "kubeconfig")


def test_missing_rights_are_reported_together(run: Run, place: Place, tmp_path: Path) -> None:
    kubeconfig = user(place, tmp_path, "weak")
    result = check(run, place, kubeconfig=kubeconfig, mesh=True)
    end = "Use the kubeconfig of an administrator (ClusterRole cluster-admin), or have one grant them."
    start = (
        "aws: its user lacks these permissions: list nodes; list pods in kube-system; get services in "
        "default; list daemonsets.apps; "
    )
    assert result["msg"].startswith(start) and result["msg"].endswith(f"({kubeconfig}). {end}")
    assert "create pods/exec in kube-system" in result["msg"]
    assert "patch clusterroles.rbac.authorization.k8s.io; " in result["msg"]


def test_who_may_only_read_hears_of_all_other_rights_and_faults(run: Run, place: Place, tmp_path: Path) -> None:
    groups = ["", "apps", "discovery.k8s.io", "apiextensions.k8s.io", "networking.k8s.io"]
    rule = {"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list"]}
    place.make(f"{RBAC}/clusterroles", {"metadata": {"name": "reads"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reads"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "weak"}
    binding = {"metadata": {"name": "reads"}, "roleRef": role, "subjects": [subject]}
    place.make(f"{RBAC}/clusterrolebindings", binding)
    kubeconfig = user(place, tmp_path, "weak")
    assert wait_for_rights(kubeconfig)
    said = check(run, place, kubeconfig=kubeconfig, service_cidr="172.20.0.0/16")["msg"].splitlines()
    assert (
        said[0].startswith("aws: its user lacks these permissions: patch configmaps in kube-system; ")
        and len(said) == 2
    )
    assert check(run, place, kubeconfig=kubeconfig, cilium=False)["msg"].startswith("aws: has no network")


def wait_for_rights(kubeconfig: str) -> bool:
    """The API server takes a new binding up by a watch of its own; the user asks until it has."""
    for _ in range(500):
        try:
            return bool(Cluster(kubeconfig).request("GET", "/api/v1/nodes"))
        except ApiError:
            continue
    return False
