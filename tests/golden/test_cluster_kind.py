# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The config of each kind cluster, as this platform writes it and as kind itself reads it."""

from typing import Any

import pytest
import yaml

import render

CASES = {"dev": ("dev", "dev"), "east": ("mesh-of-kind", "east"), "west": ("mesh-of-kind", "west")}
ROLE = render.ROOT / "roles/cluster_kind"


def variables(fleet: str, cluster: str) -> dict[str, Any]:
    """What the role reads for a cluster, as a run would have it."""
    own = yaml.safe_load((render.inventories.FIXTURES / "valid" / fleet / "hosts.yml").read_text())["clusters"]
    given = {key: value for key, value in own["hosts"][cluster].items() if key.startswith("cluster_kind_")}
    mirror = {"registry": f"http://odp-{fleet}-registry:5000"}
    return {"fleet": render.fleet(fleet), "inventory_hostname": cluster, "mirror": mirror, **given}


def config(case: str) -> str:
    return render.render("cluster_kind", "kind.yaml.j2", **variables(*CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_config(case: str) -> None:
    render.assert_golden(f"cluster_kind/{case}.yaml", config(case))


def test_nodes_are_sent_to_the_mirror() -> None:
    files = render.value("cluster_kind", "__cluster_kind_hosts", **variables("dev", "dev"))
    text = "".join(f"# {each['path']}\n{each['content']}" for each in files)
    render.assert_golden("cluster_kind/dev.hosts.toml", text)


@pytest.mark.parametrize(
    ("kubernetes", "own", "image"),
    [
        ("v1.37.0", "", "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"),
        # kind has one image of each minor version.
        ("v1.36.3", "", "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed"),
        ("v1.30.0", "", ""),
        ("v1.30.0", "mirror.example.org/node@sha256:01", "mirror.example.org/node@sha256:01"),
    ],
)
def test_image_follows_the_version_of_kubernetes(kubernetes: str, own: str, image: str) -> None:
    given = variables("dev", "dev")
    given["fleet"]["clusters"]["dev"]["kubernetes"] = kubernetes
    assert render.value("cluster_kind", "__cluster_kind_image", **given, cluster_kind_image=own) == image


def test_every_image_has_a_digest() -> None:
    images = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__cluster_kind_images"]
    assert images
    for minor, image in images.items():
        assert image.startswith(f"kindest/node:{minor}.")
        assert len(image.partition("@sha256:")[2]) == 64
