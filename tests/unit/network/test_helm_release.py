# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module helm_release: the pure comparison, and its mending against a real API server.

The release is written by the test in Helm 4's format, its objects applied as Helm's manager; e2e has the real helm.
"""

import base64
import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils import _helm_release

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
VALUES = {"kubeProxyReplacement": True, "operator": {"replicas": 1}}


def release(status: str = "deployed", version: str = "1.20.2", manifest: str = "") -> dict[str, Any]:
    chart = {"metadata": {"version": version}}
    return {"info": {"status": status}, "chart": chart, "config": VALUES, "manifest": manifest}


def stored(content: dict[str, Any]) -> str:
    inner = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    return base64.b64encode(inner).decode()


def test_decode_reads_what_helm_stores() -> None:
    assert _helm_release.decode(stored(release())) == release()


@pytest.mark.parametrize(
    ("found", "version", "values", "gap"),
    [
        (None, "1.20.2", VALUES, "is not installed"),
        (release(), "1.20.2", VALUES, ""),
        (release(), "1.20.3", VALUES, "is chart 1.20.2, wanted is 1.20.3"),
        (release(), "1.20.2", {}, "has other values"),
        (release("failed"), "1.20.2", VALUES, "is not deployed but failed: an earlier run of helm did not end well"),
    ],
)
def test_gap(found: dict[str, Any] | None, version: str, values: dict[str, Any], gap: str) -> None:
    assert _helm_release.gap(found, version, values) == gap


@pytest.fixture
def install(server: ApiServer, run: Run) -> Callable[[str], dict[str, Any]]:
    """install("deployed") -> the module's arguments, after such a release was put into a namespace of its own."""

    def put(status: str) -> dict[str, Any]:
        namespace = f"release-{uuid.uuid4().hex[:8]}"
        cluster = {"kubeconfig": str(server.kubeconfig)}
        head = {"apiVersion": "v1", "metadata": {"name": "settings"}}
        config = {**head, "kind": "ConfigMap", "data": {"key": "value"}}
        labels = {"owner": "helm", "name": "cilium", "version": "1", "status": status}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {"name": "sh.helm.release.v1.cilium.v1", "namespace": namespace, "labels": labels},
            "data": {"release": stored(release(status, manifest=yaml.safe_dump(config)))},
        }
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        installed = _helm_release.as_installed(config, "cilium", namespace)
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
    assert server.writes() == before


def test_what_was_altered_by_hand_is_one_change(server: ApiServer, run: Run, install: Callable[..., Any]) -> None:
    arguments = install("deployed")
    altered = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "by hand"}}
    altered["metadata"] = {"name": "settings", "namespace": arguments["namespace"]}
    edit = {"manifests": [altered], "field_manager": "someone", "force_conflicts": True}
    run("k8s_apply", kubeconfig=arguments["kubeconfig"], **edit)
    planned = run("helm_release", check=True, **arguments)
    before = len(server.writes())
    mended = run("helm_release", **arguments)
    assert planned["counts"] == mended["counts"] == {"created": 0, "changed": 1, "unchanged": 0}
    assert "by hand" in mended["diff"][0]["before"] and len(server.writes()) == before + 1
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
