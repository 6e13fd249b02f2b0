# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module helm_release against a real API server: what is repaired, and what is left to Flux.

The release is written by the test in Helm 4's format, its objects applied as Helm's manager; e2e has the real helm.
With Flux's own CRD the test stands in for its controller too.
"""

import base64
import gzip
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import helm_release
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
VALUES = {"kubeProxyReplacement": True, "operator": {"replicas": 1}}
NEW = {"kubeProxyReplacement": True, "operator": {"replicas": 2}}
MERGE = "application/merge-patch+json"


def release(
    status: str = "deployed", version: str = "1.20.2", manifest: str = "", config: dict[str, Any] = VALUES
) -> dict[str, Any]:
    chart = {"metadata": {"version": version}}
    return {"info": {"status": status}, "chart": chart, "config": config, "manifest": manifest}


def revision(number: int, content: dict[str, Any]) -> dict[str, Any]:
    """The Secret that helm writes of one revision."""
    status = content["info"]["status"]
    labels = {"owner": "helm", "name": "cilium", "version": str(number), "status": status}
    metadata = {"name": f"sh.helm.release.v1.cilium.v{number}", "labels": labels}
    data = {"release": stored(content)}
    return {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata, "data": data}


def stored(content: dict[str, Any]) -> str:
    inner = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    return base64.b64encode(inner).decode()


@pytest.fixture(scope="module")
def server(flux_server: ApiServer) -> ApiServer:
    """The API server of this file."""
    return flux_server


@pytest.fixture
def install(server: ApiServer, run: Run) -> Callable[[str], dict[str, Any]]:
    """install("deployed") -> the module's arguments, after such a release was put into a namespace of its own."""

    def put(status: str) -> dict[str, Any]:
        namespace = f"release-{uuid.uuid4().hex[:8]}"
        cluster = {"kubeconfig": str(server.kubeconfig)}
        head = {"apiVersion": "v1", "metadata": {"name": "settings"}}
        config = {**head, "kind": "ConfigMap", "data": {"key": "value"}}
        secret = revision(1, release(status, manifest=yaml.safe_dump(config)))
        secret["metadata"]["namespace"] = namespace
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        installed = helm_release.as_installed(config, "cilium", namespace)
        installed["metadata"]["namespace"] = namespace
        run("k8s_apply", **cluster, manifests=[space, secret])
        run("k8s_apply", **cluster, manifests=[installed], field_manager="helm")
        return {**cluster, "name": "cilium", "namespace": namespace, "chart_version": "1.20.2", "values": VALUES}

    return put


def test_an_untouched_release_costs_no_write(server: ApiServer, run: Run, install: Callable[..., Any]) -> None:
    arguments = install("deployed")
    before = server.writes()
    result = run("helm_release", **arguments)
    assert (result["changed"], result["gap"], result["counts"]["unchanged"]) == (False, "", 1)
    assert (result["owner"], result["suspended"]) == ("helm", False)
    assert server.writes() == before


def alter(run: Run, arguments: dict[str, Any]) -> None:
    """Give the release's ConfigMap another value, by hand."""
    altered = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "by hand"}}
    altered["metadata"] = {"name": "settings", "namespace": arguments["namespace"]}
    edit = {"manifests": [altered], "field_manager": "someone", "force_conflicts": True}
    run("k8s_apply", kubeconfig=arguments["kubeconfig"], **edit)


def test_what_was_altered_by_hand_is_one_change(server: ApiServer, run: Run, install: Callable[..., Any]) -> None:
    arguments = install("deployed")
    alter(run, arguments)
    planned = run("helm_release", check=True, **arguments)
    before = len(server.writes())
    repaired = run("helm_release", **arguments)
    assert planned["counts"] == repaired["counts"] == {"created": 0, "changed": 1, "unchanged": 0}
    assert "by hand" in repaired["diff"][0]["before"] and len(server.writes()) == before + 1
    assert not run("helm_release", **arguments)["changed"]


def test_a_release_that_a_killed_helm_left_makes_way(server: ApiServer, run: Run, install: Callable[..., Any]) -> None:
    arguments = install("pending-install")
    before = server.writes()
    planned = run("helm_release", check=True, **arguments)
    assert planned["changed"] and server.writes() == before
    assert "pending-install" in run("helm_release", **arguments)["gap"]
    assert run("helm_release", **arguments)["gap"] == "is not installed"


def test_values_show_nowhere(run: Run, install: Callable[..., Any]) -> None:
    arguments = install("deployed")
    result = run("helm_release", **{**arguments, "values": {"password": "very-secret"}})
    assert result["gap"] == "has other values" and "very-secret" not in str(result)


class Flux:
    """A stand-in for helm-controller: its objects are those of the real CRD."""

    def __init__(self, server: ApiServer) -> None:
        self.api = Cluster(str(server.kubeconfig))

    def deliver(self, arguments: dict[str, Any], suspend: bool = False) -> None:
        """Make the HelmRelease that delivers the release."""
        chart = {"spec": {"chart": "cilium", "sourceRef": {"kind": "HelmRepository", "name": "cilium"}}}
        head = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "cilium"}}
        body = {**head, "spec": {"interval": "5m", "chart": chart, "suspend": suspend}}
        self.api.request("POST", self._path(arguments), body=body)

    def say(self, arguments: dict[str, Any], status: str, message: str) -> None:
        """Write the condition Ready, beside another one."""
        since = {"reason": "x", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ready = {"type": "Ready", "status": status, "message": message, **since}
        other = {"type": "TestSuccess", "status": "False", "message": "not asked for", **since}
        path = f"{self._path(arguments)}/cilium/status"
        self.api.request("PATCH", path, body={"status": {"conditions": [other, ready]}}, content_type=MERGE)

    def upgrade(self, arguments: dict[str, Any]) -> None:
        """Write what helm's library does: a pending revision, which is deployed in the end."""
        path = f"/api/v1/namespaces/{arguments['namespace']}/secrets"
        self.api.request("POST", path, body=revision(2, release("pending-upgrade", config=NEW)))
        done = revision(2, release(config=NEW))
        self.api.request("PATCH", f"{path}/{done['metadata']['name']}", body=done, content_type=MERGE)

    @staticmethod
    def _path(arguments: dict[str, Any]) -> str:
        return f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{arguments['namespace']}/helmreleases"


@pytest.fixture
def flux(server: ApiServer) -> Flux:
    """Flux in a cluster that serves HelmReleases."""
    return Flux(server)


def test_a_release_of_flux_is_left_alone(server: ApiServer, run: Run, install: Callable[..., Any], flux: Flux) -> None:
    arguments = install("deployed")
    alter(run, arguments)
    flux.deliver(arguments)
    before = server.writes()
    result = run("helm_release", **arguments)
    assert (result["owner"], result["suspended"], result["gap"], result["changed"]) == ("flux", False, "", False)
    assert result["objects"] == [] and server.writes() == before


def test_an_adopted_release_has_another_name_than_its_helm_release(
    run: Run, install: Callable[..., Any], flux: Flux
) -> None:
    arguments = {**install("deployed"), "name": "adopted"}
    flux.deliver(arguments)
    assert run("helm_release", check=True, **arguments)["owner"] == "helm"
    assert run("helm_release", check=True, **arguments, flux_name="cilium")["owner"] == "flux"


def test_new_values_are_waited_for(run: Run, install: Callable[..., Any], flux: Flux) -> None:
    arguments = {**install("deployed"), "values": NEW, "wait_timeout": 20}
    flux.deliver(arguments)
    timer = threading.Timer(0.5, flux.upgrade, [arguments])
    timer.start()
    result = run("helm_release", **arguments)
    timer.join()
    assert result.get("failed") is None, result
    assert (result["owner"], result["changed"]) == ("flux", False)
    assert run("helm_release", **arguments)["gap"] == ""


def test_another_chart_is_not_waited_for(run: Run, install: Callable[..., Any], flux: Flux) -> None:
    """The tree brings it, in a later stage."""
    arguments = {**install("deployed"), "chart_version": "1.20.3", "wait_timeout": 1}
    flux.deliver(arguments)
    result = run("helm_release", **arguments)
    assert result.get("failed") is None, result
    assert result["gap"] == "is chart 1.20.2, wanted is 1.20.3"


def test_a_release_that_flux_does_not_upgrade_fails_with_its_reason(
    run: Run, install: Callable[..., Any], flux: Flux
) -> None:
    arguments = {**install("deployed"), "values": NEW, "wait_timeout": 1}
    flux.deliver(arguments)
    start = "Flux has not applied the new values of release cilium within 1 s: "
    end = ". If Flux cannot work, take over the release: ./odp rescue INVENTORY"
    assert run("helm_release", **arguments)["msg"] == f"{start}no reason given{end}"
    flux.say(arguments, "False", "values do not meet the schema")
    assert run("helm_release", **arguments)["msg"] == f"{start}values do not meet the schema{end}"
    planned = run("helm_release", check=True, **arguments)
    assert (planned.get("failed"), planned["gap"], planned["owner"]) == (None, "has other values", "flux")


def test_a_suspended_release_is_helms_again(run: Run, install: Callable[..., Any], flux: Flux) -> None:
    arguments = {**install("deployed"), "values": NEW, "wait_timeout": 1}
    alter(run, arguments)
    flux.deliver(arguments, suspend=True)
    result = run("helm_release", **arguments)
    assert (result["owner"], result["suspended"], result["gap"]) == ("helm", True, "has other values")
    assert result["counts"] == {"created": 0, "changed": 1, "unchanged": 0}
