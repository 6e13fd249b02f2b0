# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What Flux delivers beside the services, and where it reads the tree; tests/unit/flux asks a real API server."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import common_manifests

import render

TEMPLATES = ["cilium", "cilium.kustomization", "source"]
# Fleets of tests/fixtures/valid whose tree is in a registry, and in Git.
FLEETS = ["local", "git"]
PREFIXES = {"local": ".", "git": "./clusters/git/north"}
COMMITS = {
    name: {"__flux_published": {"changed": changed, "commit": commit * 40, "revision": f"main@sha1:{commit * 40}"}}
    for name, changed, commit in (("north", True, "1"), ("south", True, "2"), ("west", False, "3"))
}
VARIABLES = {
    "inventory_hostname": "north",
    "artifacts": {"files": {"cilium_chart": {"version": "1.20.2"}}},
    "__flux_published": {"digest": f"sha256:{'d' * 64}"},
    "ansible_play_hosts": [*COMMITS],
    "hostvars": COMMITS,
}


def text(template: str, registry: str = "http://10.77.0.1:5000", fleet: str = "local", **more: Any) -> str:
    record, mirror = render.fleet(fleet), {"registry": registry}
    return render.render("flux", f"{template}.yaml.j2", fleet=record, mirror=mirror, **VARIABLES | more)


def value(name: str, fleet: str = "git", **more: Any) -> Any:
    """What a variable of the role is."""
    return render.value("flux", name, fleet=render.fleet(fleet), **VARIABLES | more)


@pytest.mark.parametrize("template", TEMPLATES)
def test_objects(template: str) -> None:
    render.assert_golden(f"flux/{template}.yaml", text(template))


@pytest.mark.parametrize("template", [*TEMPLATES, "secrets.kustomization"])
def test_objects_of_a_tree_in_git(template: str) -> None:
    secret = {"identity": "a key", "known_hosts": "a host"}
    render.assert_golden(f"flux/git/{template}.yaml", text(template, "", "git", flux_git_secret=secret))


def test_with_a_registry_of_its_own_the_fleet_keeps_the_chart_there() -> None:
    [helm, _] = yaml.safe_load_all(text("cilium", fleet="git"))
    assert helm["spec"]["url"] == "oci://10.77.0.1:5000/odp/charts"
    mirrored = render.fleet("git")
    mirrored["platform"]["registry_mirror"] = "http://10.77.0.1:5000"
    kept = [value("__flux_keeps_charts", mirror={"registry": url}) for url in ("http://10.77.0.1:5000", "")]
    assert kept == [True, False]
    alone = render.value("flux", "__flux_keeps_charts", fleet=mirrored, mirror={"registry": "http://10.77.0.1:5000"})
    assert alone is False


def test_without_credentials_flux_reads_as_anybody() -> None:
    [source, _] = yaml.safe_load_all(text("source", fleet="git"))
    assert "secretRef" not in source["spec"]
    assert value("__flux_secrets") == []
    [secret] = value("__flux_secrets", flux_git_secret={"username": "flux", "password": "word"})
    assert secret["metadata"] == {"name": "platform-git", "namespace": "flux-system"}
    assert secret["stringData"] == {"username": "flux", "password": "word"}
    assert value("__flux_secrets", "local", flux_git_secret={"username": "flux"}) == []


@pytest.mark.parametrize(("changed", "commit"), [("north south", "2"), ("north", "1"), ("", "3")])
def test_every_cluster_finds_the_commit_of_whoever_pushed_last(changed: str, commit: str) -> None:
    trees = {name: dict(found["__flux_published"], changed=name in changed) for name, found in COMMITS.items()}
    hostvars = {name: {"__flux_published": found} for name, found in trees.items()}
    assert value("__flux_revision", hostvars=hostvars) == f"main@sha1:{commit * 40}"
    assert value("__flux_request", hostvars=hostvars) == commit * 40
    assert value("__flux_revision", "local") == f"latest@sha256:{'d' * 64}"


@pytest.mark.parametrize(("registry", "insecure"), [("http://10.77.0.1:5000", True), ("https://example.org", False)])
def test_only_a_registry_without_tls_is_read_without(registry: str, insecure: bool) -> None:
    sources = [next(yaml.safe_load_all(text(template, registry))) for template in ("cilium", "source")]
    assert [each["spec"]["insecure"] for each in sources] == [insecure, insecure]
    address = registry.partition("//")[2]
    assert [each["spec"]["url"] for each in sources] == [
        f"oci://{address}/odp/charts",
        f"oci://{address}/odp/local/north",
    ]


def test_a_release_that_was_taken_over_keeps_its_name() -> None:
    [_, helm] = yaml.safe_load_all(text("cilium", cluster_found={"cilium_release": "their-cilium"}))
    assert (helm["metadata"]["name"], helm["spec"]["releaseName"]) == ("cilium", "their-cilium")
    [_, helm] = yaml.safe_load_all(text("cilium", cluster_found={"cilium_release": ""}))
    assert helm["spec"]["releaseName"] == "cilium"


@pytest.mark.parametrize(("cluster", "files"), [("aws", {"a", "platform/cilium.yaml"}), ("google", {"a"})])
def test_a_cluster_with_a_network_of_its_own_gets_no_cilium(cluster: str, files: set[str]) -> None:
    beside = {"__flux_files_of_cilium": {"platform/cilium.yaml": ""}, "__flux_files_of_secrets": {}}
    tree = value("__flux_tree", "existing", inventory_hostname=cluster, flux_tree={"a": ""}, **beside)
    assert {*tree} == files


@pytest.mark.parametrize("fleet", FLEETS)
def test_each_kustomization_reads_a_directory_of_the_tree(fleet: str) -> None:
    variables = yaml.safe_load((render.ROOT / "roles/flux/vars/main.yml").read_text())
    files = {f"{PREFIXES[fleet]}/{path}" for path in variables["__flux_files_of_cilium"]}
    [own] = yaml.safe_load_all(text("cilium.kustomization", fleet=fleet))
    source, root = yaml.safe_load_all(text("source", fleet=fleet))
    assert f"{own['spec']['path']}/manifests.yaml" in files
    assert f"{root['spec']['path']}/cilium.yaml" in files
    [encrypted] = yaml.safe_load_all(text("secrets.kustomization", fleet=fleet))
    assert encrypted["spec"]["path"] == f"{PREFIXES[fleet]}/services/secrets"
    for each in (own, root, encrypted):
        named = each["spec"]["sourceRef"]
        assert named == {"kind": source["kind"], "name": source["metadata"]["name"]}
        assert each["metadata"]["namespace"] == source["metadata"]["namespace"]


@pytest.mark.parametrize("fleet", FLEETS)
def test_services_read_the_same_source(fleet: str) -> None:
    record = render.fleet(fleet)
    found = render.value("service", "__service_source", fleet=record, inventory_hostname="north")
    assert found == {"kind": value("__flux_kind", fleet), "prefix": value("__flux_prefix", fleet)}
    assert found["prefix"] == PREFIXES[fleet]
    release = {"name": "team", "timeout": 300, "requires": []}
    spec = common_manifests.kustomization(release, found)["spec"]
    assert spec["path"] == f"{PREFIXES[fleet]}/services/team"
    assert spec["sourceRef"] == {"kind": found["kind"], "name": "platform"}
    [module] = yaml.safe_load((render.ROOT / "roles/flux/tasks/git.yml").read_text())
    pushed = module["opendata.platform.git_tree"]["path"].strip("{} ")
    if fleet == "git":
        path = render.value("flux", pushed, fleet=record, inventory_hostname="north")
        assert f"./{path}" == found["prefix"]
    assert module["throttle"] == 1
