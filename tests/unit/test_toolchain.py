# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Modules in toolchain/ are pinned to what roles/artifacts names; images/ use what their recipes give."""

import re
from pathlib import Path

import jinja2
import pytest
import yaml

from repository import ROOT

FOLDERS = sorted(path.parent for path in ROOT.glob("toolchain/*/go.mod"))
CONTAINERFILES = sorted(ROOT.glob("images/*/Containerfile"))
DEFAULTS = yaml.safe_load((ROOT / "roles/artifacts/defaults/main.yml").read_text())
VERSIONS = DEFAULTS["artifacts_versions"]
# Versions beside the platform's own that can be built: the one that an upgrade starts from.
FURTHER = ["v1.35.4"]
KUBERNETES = yaml.safe_load(
    jinja2.Template((ROOT / "roles/artifacts/templates/kubernetes.yml.j2").read_text(), trim_blocks=True).render(
        **DEFAULTS, __artifacts_kubernetes_versions=[VERSIONS["kubernetes"], *FURTHER]
    )
)
TABLE = {
    name: value
    for path in sorted(ROOT.glob("roles/artifacts/vars/main/*.yml"))
    for name, value in yaml.safe_load(path.read_text()).items()
}

# Name in artifacts_versions, folder, module.
PINS = [
    ("cilium", "cilium", "github.com/cilium/cilium"),
    ("cni_plugins", "cni", "github.com/containernetworking/plugins"),
    ("containerd", "containerd", "github.com/containerd/containerd/v2"),
    ("coredns", "coredns", "github.com/coredns/coredns"),
    ("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    ("flux_operator", "flux", "github.com/controlplaneio-fluxcd/flux-operator"),
    ("gateway_api", "cilium", "sigs.k8s.io/gateway-api"),
    ("helm", "helm-controller", "helm.sh/helm/v4"),
    ("kind", "kind", "sigs.k8s.io/kind"),
    ("helm_controller", "helm-controller", "github.com/fluxcd/helm-controller"),
    ("kubernetes", "kubernetes", "k8s.io/kubernetes"),
    ("kustomize_controller", "kustomize-controller", "github.com/fluxcd/kustomize-controller"),
    ("source_controller", "source-controller", "github.com/fluxcd/source-controller"),
]
# The plugins in the Corefile that kubeadm writes.
PLUGINS = {"errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop", "reload", "loadbalance"}


def required(folder: str) -> dict[str, str]:
    """Return version by module of what a go.mod requires."""
    text = (ROOT / "toolchain" / folder / "go.mod").read_text()
    return dict(re.findall(r"^(?:\t|require )(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))


@pytest.mark.parametrize(("name", "folder", "module"), PINS, ids=[pin[0] for pin in PINS])
def test_module_is_pinned_to_the_version_of_the_role(name: str, folder: str, module: str) -> None:
    assert required(folder)[module] == "v" + VERSIONS[name].removeprefix("v")


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_what_a_module_requires_has_sums(folder: Path) -> None:
    sums = folder / "go.sum"
    assert sums.exists() == bool(required(folder.name))
    lines = sums.read_text().splitlines() if sums.exists() else []
    assert bool(lines) == sums.exists()
    assert [line for line in lines if not re.fullmatch(r"\S+ v\S+ h1:\S+=", line)] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_module_can_be_compiled_by_the_pinned_go(folder: Path) -> None:
    asked = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE).group(1)
    assert [int(part) for part in asked.split(".")] <= [int(part) for part in VERSIONS["go"].split(".")]


BUILT = [entry for entry in KUBERNETES.values() if "binaries" in entry]


@pytest.mark.parametrize("entry", BUILT, ids=[entry["version"] for entry in BUILT])
def test_kubernetes_staging_modules_are_of_the_same_release(entry: dict) -> None:
    text = (ROOT / entry["build"]["source"] / "go.mod").read_text()
    replaced = re.findall(r"^\t(\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert len(replaced) > 25
    release = "v0." + entry["version"].split(".", 1)[1]
    assert required(entry["build"]["source"].removeprefix("toolchain/"))["k8s.io/kubernetes"] == entry["version"]
    assert [line for line in replaced if line[0] != line[1] or line[2] != release] == []


def test_coredns_has_the_plugins_of_kubeadms_corefile_and_no_others() -> None:
    text = (ROOT / "toolchain/coredns/main.go").read_text()
    imported = set(re.findall(r'_ "github.com/coredns/coredns/plugin/(\w+)"', text))
    ordered = re.findall(r'"(\w+)"', text.split("dnsserver.Directives", 1)[1])
    assert {"prometheus" if name == "metrics" else name for name in imported} == PLUGINS
    assert sorted(ordered) == sorted(PLUGINS)


IMAGES = [
    entry
    for table in (
        KUBERNETES,
        TABLE["__artifacts_images"],
        TABLE["__artifacts_flux"],
        *TABLE["__artifacts_services"].values(),
    )
    for entry in table.values()
    if "image" in entry and "build" in entry
]


def test_every_containerfile_belongs_to_an_image() -> None:
    sources = {entry["build"]["source"] for entry in IMAGES}
    assert sources == {str(path.parent.relative_to(ROOT)) for path in CONTAINERFILES}


@pytest.mark.parametrize("file", CONTAINERFILES, ids=[path.parent.name for path in CONTAINERFILES])
def test_containerfile_copies_from_what_its_recipe_needs(file: Path) -> None:
    copied = set(re.findall(r"^COPY --from=(\S+) ", file.read_text(), re.MULTILINE))
    source = str(file.parent.relative_to(ROOT))
    images = [entry for entry in IMAGES if entry["build"]["source"] == source]
    # Every image needs the registry, to be pushed to.
    needed = [{need.partition("@")[0] for need in image["needs"]} - {"registry"} for image in images]
    assert needed == [copied] * max(1, len(images))
