# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is installed of a Flux distribution, by what images can be had and how many nodes there are."""

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.flux import install as rules

TEXT = (Path(__file__).parent / "fixtures/distribution.yaml").read_text()
HELM = "ghcr.io/fluxcd/helm-controller:v1.6.4"
NOTIFICATION = "ghcr.io/fluxcd/notification-controller:v1.9.4"
BUILT = {HELM: {"origin": "build", "digest": "sha256:1"}, "quay.io/cilium/cilium:v1.20.2": {"digest": "sha256:2"}}
RELEASED = {**BUILT, NOTIFICATION: {"origin": "download", "digest": "sha256:3"}}


def installed(known: dict[str, Any], nodes: int = 1) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["kind"], each["metadata"]["name"]): each for each in rules.install(TEXT, known, nodes)}


def manager(known: dict[str, Any], nodes: int = 1) -> dict[str, Any]:
    return installed(known, nodes)["Deployment", "helm-controller"]["spec"]["template"]["spec"]["containers"][0]


def test_only_what_has_an_image_is_installed() -> None:
    assert list(installed(BUILT)) == [
        ("Namespace", "flux-system"),
        ("CustomResourceDefinition", "helmreleases.helm.toolkit.fluxcd.io"),
        ("ServiceAccount", "helm-controller"),
        ("Deployment", "helm-controller"),
        ("NetworkPolicy", "allow-egress"),
        ("ClusterRoleBinding", "cluster-reconciler"),
    ]


def test_notifications_come_with_their_image() -> None:
    more = installed(RELEASED).keys() - installed(BUILT).keys()
    assert {name for _kind, name in more} == {
        "alerts.notification.toolkit.fluxcd.io",
        "webhook-receiver",
        "allow-webhooks",
    }
    assert rules.waiting(BUILT)["notification-controller"] == ("image of Flux notification-controller not available")
    assert "notification-controller" not in rules.waiting(RELEASED)


def test_what_lives_in_a_namespace_lives_in_that_of_flux() -> None:
    spaces = {kind: each["metadata"].get("namespace") for (kind, _name), each in installed(RELEASED).items()}
    assert {kind for kind, space in spaces.items() if space == "flux-system"} == {
        "ServiceAccount",
        "Service",
        "Deployment",
        "NetworkPolicy",
    }


def test_rights_are_bound_to_those_that_run() -> None:
    names = [each["name"] for each in installed(BUILT)["ClusterRoleBinding", "cluster-reconciler"]["subjects"]]
    assert names == ["helm-controller"]


@pytest.mark.parametrize(("nodes", "elects"), [(1, False), (2, True)])
def test_controllers_of_several_nodes_compete_for_a_lease(nodes: int, elects: bool) -> None:
    assert ("--enable-leader-election" in manager(BUILT, nodes)["args"]) is elects


def test_events_are_sent_where_somebody_takes_them() -> None:
    assert not [each for each in manager(BUILT)["args"] if each.startswith("--events-addr")]
    assert [each for each in manager(RELEASED)["args"] if each.startswith("--events-addr")]


def test_image_is_pinned_by_its_digest_where_that_is_known() -> None:
    assert manager(BUILT)["image"] == f"{HELM}@sha256:1"
    assert manager({HELM: {"digest": ""}})["image"] == HELM


def test_namespace_holds_its_pods_to_the_strictest_profile() -> None:
    assert installed(BUILT)["Namespace", "flux-system"]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }


def test_a_proxy_is_in_a_secret_that_every_controller_reads() -> None:
    proxy = {"HTTPS_PROXY": "http://anna:hunter2@proxy:3128"}
    found = rules.install(TEXT, RELEASED, 1, proxy)
    assert [(each["kind"], each["metadata"]["name"]) for each in found[:2]] == [
        ("Namespace", "flux-system"),
        ("Secret", "proxy"),
    ]
    assert found[1]["stringData"] == proxy
    [template] = [each["spec"]["template"] for each in found if each["kind"] == "Deployment"]
    assert template["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "proxy"}}]
    assert "hunter2" not in str(found[2:])
    other = rules.install(TEXT, RELEASED, 1, {"HTTPS_PROXY": "http://proxy:3128"})
    assert template["metadata"] not in [each.get("spec", {}).get("template", {}).get("metadata") for each in other]
    assert rules.install(TEXT, RELEASED, 1, {}) == rules.install(TEXT, RELEASED, 1)
