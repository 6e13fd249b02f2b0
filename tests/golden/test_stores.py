# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What PostgreSQL, the object stores and local volumes become in the tree of a cluster."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service.tree import view as view_of

import render
import service_examples

STORES = ["garage", "minio"]
IMAGE = "example.org/local-path-provisioner:1.2.3"
CONTEXT = service_examples.CONTEXT | {"images": {**service_examples.IMAGES, "local-path-provisioner": IMAGE}}


def entry(role: str, context: dict[str, Any], task: int = 0) -> dict[str, Any]:
    """What a task of a role describes, with the values that the role sets."""
    tasks = yaml.safe_load((render.ROOT / "roles" / role / "tasks/main.yml").read_text())
    release = tasks[task]["vars"]["service_release"] | {"overrides": {}}
    template, view = release.get("manifests"), view_of(release, context)
    return {"role": role, "release": release, "rendered": render.render(role, template, **view) if template else ""}


def tree(role: str, **context: Any) -> str:
    """Text of the objects of a role's service."""
    described = entry(role, whole := CONTEXT | context)
    made = service_examples.manifests([described], whole)
    return str(made["files"][f"services/{described['release']['name']}/manifests.yaml"])


def service(text: str) -> dict[str, Any]:
    """The one Service among the objects."""
    [found] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Service"]
    return found


@pytest.mark.parametrize("role", [*STORES, "postgres", "local_path_provisioner"])
def test_objects(role: str) -> None:
    render.assert_golden(f"stores/{role}.yaml", tree(role))


def test_objects_of_cloudnative_pg_and_its_database() -> None:
    context = CONTEXT | {"database": "cloudnative_pg"}
    made = service_examples.manifests([entry("cloudnative_pg", context), entry("postgres", context, 1)], context)
    for name in ("cloudnative-pg", "postgres"):
        render.assert_golden(f"stores/cloudnative_pg/{name}.yaml", made["files"][f"services/{name}/manifests.yaml"])
    [order] = yaml.safe_load_all(made["files"]["platform/postgres.yaml"])
    assert order["spec"]["dependsOn"] == [{"name": "cloudnative-pg"}]
    [secret] = made["secrets"]
    # Both keys are what the operator reads.
    assert (secret["name"], [*secret["data"]]) == ("postgres-superuser", ["username", "password"])


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
