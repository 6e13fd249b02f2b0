# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What Flux delivers beside the services, and where it reads the tree; tests/unit/flux asks a real API server."""

import pytest
import yaml

import render

TEMPLATES = ["cilium", "cilium.kustomization", "source"]
VARIABLES = {
    "inventory_hostname": "north",
    "artifacts": {"files": {"cilium_chart": {"version": "1.20.2"}}},
    "__flux_published": {"digest": f"sha256:{'d' * 64}"},
}


def text(template: str, registry: str = "http://10.77.0.1:5000") -> str:
    fleet, mirror = render.fleet("local"), {"registry": registry}
    return render.render("flux", f"{template}.yaml.j2", fleet=fleet, mirror=mirror, **VARIABLES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_objects(template: str) -> None:
    render.assert_golden(f"flux/{template}.yaml", text(template))


@pytest.mark.parametrize(("registry", "insecure"), [("http://10.77.0.1:5000", True), ("https://example.org", False)])
def test_only_a_registry_without_tls_is_read_without(registry: str, insecure: bool) -> None:
    sources = [next(yaml.safe_load_all(text(template, registry))) for template in ("cilium", "source")]
    assert [each["spec"]["insecure"] for each in sources] == [insecure, insecure]
    address = registry.partition("//")[2]
    assert [each["spec"]["url"] for each in sources] == [
        f"oci://{address}/odp/charts",
        f"oci://{address}/odp/local/north",
    ]


def test_each_kustomization_reads_a_directory_of_the_tree() -> None:
    variables = yaml.safe_load((render.ROOT / "roles/flux/vars/main.yml").read_text())
    files = variables["__flux_files_of_cilium"]
    [own] = yaml.safe_load_all(text("cilium.kustomization"))
    source, root = yaml.safe_load_all(text("source"))
    assert f"{own['spec']['path']}/manifests.yaml".removeprefix("./") in files
    assert f"{root['spec']['path']}/cilium.yaml".removeprefix("./") in files
    for each in (own, root):
        named = each["spec"]["sourceRef"]
        assert named == {"kind": source["kind"], "name": source["metadata"]["name"]}
        assert each["metadata"]["namespace"] == source["metadata"]["namespace"]
