# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Modules cilium_adoption and cluster_check against a real API server that has a Cilium already.

The releases are Secrets in helm's own format, written by the test; e2e has the real helm.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import existing_objects as objects
from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
SYSTEM = "/api/v1/namespaces/kube-system"
OURS = {"kubeProxyReplacement": True, "cluster": {"name": "aws", "id": 1}}
THEIRS = {"kubeProxyReplacement": False, "tls": {"ca": {"key": "very-secret"}}}
DEFAULTS = {"kubeProxyReplacement": "false", "cluster": {"name": "default", "id": 0}}
STEP = "Copy what must stay to cilium_values and set cilium_adopt: true; or keep it: cilium_enabled: false."
DIFFERENCES = [
    "cluster.id: theirs 0 (the default), ours 1; running pods must be restarted",
    "cluster.name: theirs default (the default), ours aws; running pods must be restarted",
    "kubeProxyReplacement: theirs false, ours true",
]


class Place:
    """The cluster, and what a test asks of it."""

    def __init__(self, server: ApiServer, run: Run) -> None:
        self.server, self.run, self.api = server, run, Cluster(str(server.kubeconfig))
        self.made: list[str] = []

    def make(self, path: str, item: dict[str, Any]) -> None:
        """Make one object."""
        self.api.request("POST", path, body=item)
        self.made.append(f"{path}/{item['metadata']['name']}")

    def cilium(self, namespace: str = "kube-system", **more: Any) -> None:
        """Make Cilium's DaemonSet."""
        if not self.api.get(f"/api/v1/namespaces/{namespace}"):
            self.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        item = objects.cilium(namespace=namespace, **more)
        self.make(f"/apis/apps/v1/namespaces/{namespace}/daemonsets", item)

    def release(self, number: int = 1, version: str = "1.20.1", status: str = "deployed", name: str = "cilium") -> None:
        """Make what helm stores of one revision."""
        self.make(f"{SYSTEM}/secrets", objects.revision(name, number, status, version, THEIRS, DEFAULTS))

    def ask(self, **options: Any) -> dict[str, Any]:
        """What the module says; it writes nothing."""
        before = self.server.writes()
        wanted = {"name": "aws", "chart_version": "1.20.2", "values": OURS, "kubeconfig": str(self.server.kubeconfig)}
        result = self.run("cilium_adoption", **{**wanted, **options})
        assert self.server.writes() == before and "very-secret" not in str(result)
        return result

    def check(self) -> dict[str, Any]:
        """What cluster_check says of the same cluster."""
        wanted = {
            "name": "aws",
            "cilium_version": "1.20.2",
            "pod_cidr": "10.244.0.0/16",
            "service_cidr": "10.250.0.0/24",
        }
        api = {"endpoint": "api.example.org:6443", "kubeconfig": str(self.server.kubeconfig)}
        return self.run("cluster_check", **wanted, **api)


@pytest.fixture
def place(server: ApiServer, run: Run) -> Iterator[Place]:
    """A cluster with one node that is ready."""
    found = Place(server, run)
    if not found.api.get(SYSTEM):
        found.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "kube-system"}})
    found.make("/api/v1/nodes", objects.node("a"))
    status = {"status": objects.node("a")["status"]}
    found.api.request("PATCH", "/api/v1/nodes/a/status", body=status, content_type="application/merge-patch+json")
    yield found
    for path in found.made:
        found.api.request("DELETE", path)


def test_nothing_to_adopt(place: Place) -> None:
    expected = {"release": "cilium", "summary": "", "differences": [], "adopts": False}
    answer = place.ask()
    assert {key: answer.get(key) for key in expected} == expected, answer


def test_without_consent_all_differences_are_shown_and_nothing_is_done(place: Place) -> None:
    place.cilium()
    place.release(1, "1.20.0", "superseded")
    place.release(2)
    heading = "aws: helm release cilium of Cilium would go from 1.20.1 to 1.20.2, 4 values differ:"
    refused = place.ask()
    first, *lines, last = refused["msg"].splitlines()
    assert (first, last) == (heading, STEP)
    assert lines[:3] == DIFFERENCES and lines == refused["differences"]
    assert lines[3].startswith("tls.ca.key: theirs sha256:") and lines[3].endswith(", ours unset (the default)")
    assert place.ask(check=True)["msg"] == refused["msg"]
    # The preflight, which has no values of ours yet, tells of it and goes on.
    checked = place.check()
    assert checked.get("failed") is None and checked["found"]["cilium_release"] == "cilium"
    assert [text.split(" (")[0] for text in checked["notes"]] == [
        "aws: Cilium 1.20.1 is already installed, by helm release cilium"
    ]


def test_with_consent_the_release_keeps_its_name(place: Place) -> None:
    place.cilium(release="their-cilium")
    place.release(name="their-cilium")
    result = place.ask(adopt=True)
    assert (result["release"], result["adopts"], result["differences"][:3]) == ("their-cilium", True, DIFFERENCES)
    assert (
        result["summary"] == "aws: helm release their-cilium of Cilium would go from 1.20.1 to 1.20.2, 4 values differ"
    )


def test_even_the_same_values_want_consent(place: Place) -> None:
    place.cilium(version="1.20.2")
    place.release(version="1.20.2")
    same = place.ask(values=THEIRS)
    assert same["msg"] == f"aws: helm release cilium of Cilium has our version, 0 values differ:\n{STEP}"


def test_once_adopted_it_is_ours(place: Place) -> None:
    place.cilium(release="their-cilium")
    place.release(name="their-cilium")
    place.make(f"{SYSTEM}/configmaps", {"metadata": {"name": "cilium-values"}})
    result = place.ask()
    assert (result.get("failed"), result["release"], result["adopts"]) == (None, "their-cilium", False)
    assert place.check()["notes"] == []


@pytest.mark.parametrize("adopt", [False, True])
def test_a_cilium_without_a_helm_release_is_refused(place: Place, adopt: bool) -> None:
    place.cilium(release="")
    text = (
        "aws: an existing Cilium belongs to no Helm release (DaemonSet kube-system/cilium). "
        "Remove it, reinstall it with Helm, or keep it and set cilium_enabled: false."
    )
    assert place.ask(adopt=adopt)["msg"] == text
    assert place.check()["msg"] == text


def test_a_cilium_of_another_namespace_is_refused(place: Place) -> None:
    place.cilium(namespace="cilium")
    text = (
        "aws: Cilium is helm release cilium in namespace cilium; the platform looks in kube-system "
        "(DaemonSet cilium/cilium). Reinstall it in kube-system, or keep it and set cilium_enabled: false."
    )
    assert place.ask(adopt=True)["msg"] == text
    assert place.check()["msg"] == text


def test_a_cilium_of_another_flux_is_refused(place: Place) -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "cilium", "helm.toolkit.fluxcd.io/namespace": "infra"}
    place.cilium(labels=labels)
    place.release()
    assert place.ask(adopt=True)["msg"].startswith("aws: Cilium is managed by HelmRelease infra/cilium of another Flux")


def test_a_release_whose_record_is_elsewhere_is_refused(place: Place) -> None:
    place.cilium()
    assert place.ask(adopt=True)["msg"].startswith(
        "aws: helm's record of release cilium is in no Secret of kube-system, so it cannot be compared"
    )


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (
            {"version": "1.18.3"},
            "is version 1.18.3, more than one minor before ours (1.20.2); upgrade it to 1.19 first.",
        ),
        (
            {"version": "1.21.0"},
            "is version 1.21.0, newer than ours (1.20.2); set artifacts_versions.cilium to it, or to",
        ),
        ({"status": "failed"}, "is not deployed but failed. Fix it first: helm -n kube-system history cilium"),
    ],
)
def test_a_release_that_cannot_be_upgraded_is_refused(place: Place, release: dict[str, str], words: str) -> None:
    place.cilium()
    place.release(**release)
    assert place.ask(adopt=True)["msg"].startswith(f"aws: helm release cilium of Cilium {words}")
