# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module k8s_apply against a real API server; what it wrote is read from the server's audit log."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import apply
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]


def config_map(namespace: str, name: str = "values", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


@pytest.fixture
def namespace(server: ApiServer, run: Run) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[manifest])["counts"]["created"] == 1
    return name


def crd(kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] = True
    names = {"kind": kind, "plural": plural}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.example.org"},
        "spec": {"group": "test.example.org", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def test_a_second_run_writes_nothing(server: ApiServer, run: Run, namespace: str) -> None:
    manifests = [config_map(namespace, name, key="value") for name in ("a", "b", "c", "d", "e", "f")]
    first = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=manifests)
    assert first["counts"] == {"created": 6, "changed": 0, "unchanged": 0, "removed": 0}
    before = server.writes()
    second = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=manifests)
    assert (second["changed"], second["counts"]["unchanged"], second["diff"]) == (False, 6, [])
    assert server.writes() == before


def test_what_a_long_list_leaves_out_is_read_by_name(
    server: ApiServer, run: Run, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_LIST_LIMIT", 2)
    wanted = {"kubeconfig": str(server.kubeconfig), "manifests": [config_map(namespace, name) for name in "abcdef"]}
    assert run("k8s_apply", **wanted)["counts"]["created"] == 6
    assert run("k8s_apply", **wanted)["counts"]["unchanged"] == 6


def test_one_write_for_each_object_that_differs(server: ApiServer, run: Run, namespace: str) -> None:
    manifests = [config_map(namespace, name, key="value", old="gone") for name in ("a", "b", "c")]
    run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=manifests)
    before = len(server.writes())
    del manifests[1]["data"]["old"]
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=manifests)
    assert result["counts"] == {"created": 0, "changed": 1, "unchanged": 2, "removed": 0}
    assert "old: gone" in result["diff"][0]["before"] and "old: gone" not in result["diff"][0]["after"]
    assert len(server.writes()) == before + 1


def test_check_mode_writes_nothing_and_finds_the_same(server: ApiServer, run: Run, namespace: str) -> None:
    run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[config_map(namespace, key="old")])
    before = server.writes()
    wanted = [config_map(namespace, key="new"), config_map(namespace, "more")]
    planned = run("k8s_apply", check=True, kubeconfig=str(server.kubeconfig), manifests=wanted)
    assert planned["changed"] and server.writes() == before
    done = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted)
    assert done["counts"] == planned["counts"] == {"created": 1, "changed": 1, "unchanged": 0, "removed": 0}


def test_quantities_and_defaults_of_the_server_are_no_difference(server: ApiServer, run: Run, namespace: str) -> None:
    container = {"name": "web", "image": "x", "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}}}
    container["ports"] = [{"containerPort": 80}]
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    metadata = {"name": "web", "namespace": namespace}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[manifest])
    before = server.writes()
    assert not run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[manifest])["changed"]
    assert server.writes() == before


def test_a_crd_and_its_objects_in_one_call(server: ApiServer, run: Run, namespace: str) -> None:
    kind = f"Thing{uuid.uuid4().hex[:6]}".capitalize()
    thing = {"apiVersion": "test.example.org/v1", "kind": kind, "metadata": {"name": "x", "namespace": namespace}}
    wanted = [{**thing, "spec": {"size": 1}}, crd(kind)]
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted)
    assert [each["action"] for each in result["objects"]] == ["created", "created"]
    assert result["objects"][0]["object"].startswith("CustomResourceDefinition")
    assert not run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted)["changed"]


def test_a_conflict_is_refused_with_owner_and_field(server: ApiServer, run: Run, namespace: str) -> None:
    wanted = {"kubeconfig": str(server.kubeconfig), "manifests": [config_map(namespace, key="ours")]}
    run("k8s_apply", **{**wanted, "manifests": [config_map(namespace, key="theirs")], "field_manager": "other"})
    refused = run("k8s_apply", **wanted)
    assert refused["failed"] and '"other"' in refused["msg"] and ".data.key" in refused["msg"]
    assert run("k8s_apply", **wanted, force_conflicts=True)["changed"]


def test_nothing_is_written_when_one_object_is_refused(server: ApiServer, run: Run, namespace: str) -> None:
    wanted = [config_map(namespace, name, key="theirs") for name in ("a", "b")]
    run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted, field_manager="other")
    before = server.writes()
    mine = [config_map(namespace, name, key="ours") for name in ("a", "b", "new")]
    refused = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=mine)
    assert len(refused["findings"]) == 2 and server.writes() == before


def test_new_objects_that_the_server_refuses_are_all_named(server: ApiServer, run: Run, namespace: str) -> None:
    head = {"apiVersion": "v1", "kind": "Service", "spec": {}}
    invalid = [{**head, "metadata": {"name": name, "namespace": namespace}} for name in ("s", "t")]
    before = server.writes()
    for check in (True, False):
        assert server.writes() == before, "check mode writes nothing"
        refused = run("k8s_apply", check=check, kubeconfig=str(server.kubeconfig), manifests=invalid)
        starts = [f"Service {namespace}/{name}: " for name in ("s", "t")]
        assert all(map(str.startswith, refused["findings"], starts)) and len(refused["findings"]) == 2
        assert all("spec.ports: Required value" in finding for finding in refused["findings"])


def test_check_mode_plans_what_needs_a_namespace_or_crd_to_come(
    server: ApiServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(ClusterModule, "warn", lambda _, text: warned.append(text))
    kind, space = f"Thing{uuid.uuid4().hex[:6]}".capitalize(), f"test-{uuid.uuid4().hex[:8]}"
    thing = {"apiVersion": "test.example.org/v1", "kind": kind, "metadata": {"name": "x", "namespace": space}}
    wanted = [thing, config_map(space), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}]
    before = server.writes()
    for manifests in ([*wanted, crd(kind)], wanted[:2]):  # all in one task, or the rest in a task before this one
        planned = run("k8s_apply", check=True, kubeconfig=str(server.kubeconfig), manifests=manifests)
        assert planned["counts"] == {"created": len(manifests), "changed": 0, "unchanged": 0, "removed": 0}
    words = f"{kind} {space}/x: the cluster does not know test.example.org/v1 yet: planned without asking it"
    assert warned == [words]
    assert server.writes() == before


def test_an_unknown_kind_is_refused_with_the_next_step(server: ApiServer, run: Run, namespace: str) -> None:
    manifest = {"apiVersion": "example.org/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    refused = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[manifest])
    assert "Nothing x: the cluster does not know example.org/v1: install its CRD first" in refused["msg"]


def test_data_of_secrets_shows_nowhere(server: ApiServer, run: Run, namespace: str) -> None:
    metadata = {"name": "s", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "very-secret"}}
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[secret])
    assert result["changed"] and "very-secret" not in str(result) and "dmVyeS1zZWNyZXQ=" not in str(result)
    assert not run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=[secret])["changed"]
