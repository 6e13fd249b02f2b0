# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the golden files do not show: who may connect, and what depends on the cluster."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service.tree import images, view

from service_examples import CONTEXT, IMAGES, manifests, notebook, provider, with_every_feature

EVERYWHERE = {"namespaceSelector": {}}
OTHER_CLUSTERS = {
    "fromEndpoints": [
        {
            "matchExpressions": [
                {"key": "io.kubernetes.pod.namespace", "operator": "Exists"},
                {"key": "io.cilium.k8s.policy.cluster", "operator": "Exists"},
            ]
        }
    ]
}


def kinds(changes: dict[str, Any], **release: Any) -> dict[str, dict[str, Any]]:
    """Objects of the notebook by kind, in a cluster with these changes."""
    made = manifests([notebook(**release)], {**CONTEXT, **changes})
    return {each["kind"]: each for each in yaml.safe_load_all(made["files"]["services/notebook/manifests.yaml"])}


@pytest.mark.parametrize(
    ("clients", "mesh", "peers", "cilium"),
    [
        ([], True, [], []),
        ("all", True, [EVERYWHERE], []),
        ("fleet", True, [EVERYWHERE], [OTHER_CLUSTERS]),
        ("fleet", False, [EVERYWHERE], []),
    ],
)
def test_clients(clients: Any, mesh: bool, peers: list[Any], cilium: list[Any]) -> None:
    made = kinds({"mesh": mesh}, clients=clients)
    assert made["NetworkPolicy"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}, *peers]}],
    }
    assert ("CiliumNetworkPolicy" in made) is bool(cilium)
    if cilium:
        assert made["CiliumNetworkPolicy"]["spec"]["ingress"] == cilium


def test_without_cilium_nobody_names_the_gateway_or_the_api_server() -> None:
    alone = kinds({"cilium": False, "mesh": False}, clients=[])
    assert alone["NetworkPolicy"]["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]
    routed = kinds(
        {"cilium": False, "mesh": False, "gateway": True}, route={"port": 80, "sso": "native", "host": "nb"}, clients=[]
    )
    assert routed["NetworkPolicy"]["spec"]["ingress"] == [{}]
    assert "CiliumNetworkPolicy" not in {*alone, *routed}


def test_a_route_is_there_only_with_a_gateway() -> None:
    assert "HTTPRoute" not in kinds({"gateway": False})
    made = kinds({"gateway": True, "domain": "example.org"}, route={"port": 80, "sso": "native", "host": "nb"})
    assert made["HTTPRoute"]["spec"]["hostnames"] == ["nb.example.org"]
    assert made["HTTPRoute"]["spec"]["parentRefs"] == [{"name": "gateway", "namespace": "gateway"}]
    assert made["CiliumNetworkPolicy"]["spec"]["ingress"] == [{"fromEntities": ["ingress"]}]


def test_monitoring_is_there_only_where_prometheus_runs() -> None:
    assert "PodMonitor" not in kinds({"monitoring": False}, monitoring={"port": "http"})
    made = kinds({"monitoring": True}, monitoring={"port": "http"})
    assert made["PodMonitor"]["spec"]["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics"}]
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert prometheus in made["NetworkPolicy"]["spec"]["ingress"][0]["from"]


def test_namespaces_are_told_beside_the_tree_as_they_are_in_it() -> None:
    made = manifests([with_every_feature(), *map(provider, ("spark-operator", "postgres", "garage"))], CONTEXT)
    inside = [next(yaml.safe_load_all(text)) for path, text in made["files"].items() if path.startswith("services/")]
    assert made["namespaces"] == inside


def test_values_are_merged_key_by_key() -> None:
    seen = view(with_every_feature()["release"], CONTEXT)
    assert seen["values"] == {"replicas": 1, "limits": {"memory": "2Gi", "cpu": 1}}
    assert seen["service"] == {
        "name": "notebook",
        "namespace": "notebook",
        "host": "notebook.localhost",
        "secrets": {kind: f"notebook-{kind}" for kind in ("database", "bucket", "admin")},
        "images": IMAGES,
        "context": CONTEXT,
    }


@pytest.mark.parametrize("release", [{}, {"name": 1, "values": [], "overrides": "x", "route": 3, "secrets": []}])
def test_a_faulty_description_can_be_seen_so_that_its_faults_are_told_later(release: dict[str, Any]) -> None:
    assert view(release, CONTEXT)["values"] == {}


def test_images_by_short_name() -> None:
    built = {"origin": "build", "digest": f"sha256:{'a' * 64}"}
    found = {"ghcr.io/opendata/sail:0.7.2": built, "localhost:5000/x/minio:1": {"origin": "download", "digest": ""}}
    assert images(found) == {
        "sail": f"ghcr.io/opendata/sail:0.7.2@sha256:{'a' * 64}",
        "minio": "localhost:5000/x/minio:1",
    }
    with pytest.raises(ValueError, match=r"two images are called sail: ghcr.io/.* and example.org/sail:1"):
        images({**found, "example.org/sail:1": built})
