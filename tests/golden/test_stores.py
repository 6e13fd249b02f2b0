# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What PostgreSQL, the object stores and local volumes become in the tree of a cluster."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils import _service_manifests, _service_view

import render
import service_examples

STORES = ["garage", "minio"]
IMAGE = "example.org/local-path-provisioner:1.2.3"
CONTEXT = service_examples.CONTEXT | {"images": {**service_examples.IMAGES, "local-path-provisioner": IMAGE}}


def tree(role: str, **context: Any) -> str:
    """Text of the objects of a role's service, with the values that the role sets."""
    tasks = yaml.safe_load((render.ROOT / "roles" / role / "tasks/main.yml").read_text())
    release = tasks[0]["vars"]["service_release"] | {"overrides": {}}
    whole = CONTEXT | context
    rendered = render.render(role, release["manifests"], **_service_view.view(release, whole))
    made = _service_manifests.manifests([{"role": role, "release": release, "rendered": rendered}], whole)
    return str(made["files"][f"services/{release['name']}/manifests.yaml"])


def service(text: str) -> dict[str, Any]:
    """The one Service among the objects."""
    [found] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Service"]
    return found


@pytest.mark.parametrize("role", [*STORES, "postgres", "local_path_provisioner"])
def test_objects(role: str) -> None:
    render.assert_golden(f"stores/{role}.yaml", tree(role))


@pytest.mark.parametrize("role", STORES)
def test_a_store_is_asked_by_other_clusters_only_in_a_mesh(role: str) -> None:
    alone, meshed = service(tree(role, mesh=False)), service(tree(role, mesh=True))
    assert "annotations" not in alone["metadata"]
    # Without the second line a client would be sent to any of the stores, which hold different data.
    assert meshed["metadata"]["annotations"] == {
        "service.cilium.io/global": "true",
        "service.cilium.io/affinity": "local",
    }


@pytest.mark.parametrize("role", STORES)
def test_stores_keep_one_contract(role: str) -> None:
    text = tree(role)
    found = service(text)
    assert (found["metadata"]["namespace"], found["metadata"]["name"]) == (role, role)
    assert {"name": "s3", "port": 9000, "targetPort": "s3"} in found["spec"]["ports"]
    assert "us-east-1" in text
