# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the test of the data path makes in another cluster, held to the rules for trees of services."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import manifest_checks

import render

TEMPLATE = "roles/data_path/templates/peer.yaml.j2"
IMAGES = {"ghcr.io/opendata/pipelines:0.1.0": {"origin": "build", "digest": f"sha256:{'a' * 64}"}}


def objects(store: str) -> list[dict[str, Any]]:
    fleet = render.fleet("local")
    fleet["platform"]["object_store"] = store
    text = render.render("data_path", "peer.yaml.j2", fleet=fleet, artifacts={"images": IMAGES})
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("store", ["garage", "minio"])
def test_its_objects_pass_the_scans(store: str) -> None:
    made = objects(store)
    assert manifest_checks.shape("data-path", made, TEMPLATE) == []
    spaces = [each["metadata"]["name"] for each in made if each["kind"] == "Namespace"]
    assert spaces == ["odp-data-path", store]
    for space in spaces:
        own = [each for each in made if space in (each["metadata"].get("namespace"), each["metadata"]["name"])]
        assert [str(each) for each in manifest_checks.objects(space, space, "restricted", own, TEMPLATE)] == []
    assert {each["metadata"].get("namespace") for each in made} == {None, *spaces}


def test_its_namespace_holds_pods_to_what_was_scanned() -> None:
    assert objects("garage")[0]["metadata"]["labels"] == {manifest_checks.LEVEL: "restricted"}


def test_the_checks_find_the_pod_and_the_pod_finds_the_store() -> None:
    [pod] = [each["spec"]["template"] for each in objects("garage") if each["kind"] == "Deployment"]
    tasks = yaml.safe_load((render.ROOT / "roles/data_path/tasks/peer.yml").read_text())[0]["block"]
    [asked] = [each["opendata.platform.pod_checks"] for each in tasks if "opendata.platform.pod_checks" in each]
    key, _, value = asked["selector"].partition("=")
    assert pod["metadata"]["labels"][key] == value
    assert [each["name"] for each in pod["spec"]["containers"]] == [asked["container"]]
    variables = yaml.safe_load((render.ROOT / "roles/data_path/vars/main.yml").read_text())
    [source] = pod["spec"]["containers"][0]["envFrom"]
    owner = source["secretRef"]["name"].removesuffix("-bucket")
    assert f"'{owner}', __data_path_namespace" in variables["__data_path_secret"]
