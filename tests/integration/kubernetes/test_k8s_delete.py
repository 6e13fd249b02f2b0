# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module k8s_delete against a real API server; finalizers stand for everything that delays a deletion."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import delete
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]
MERGE = "application/merge-patch+json"
FINALIZER = "test.example.org/blocks"


class Trial:
    """ConfigMaps of one test."""

    def __init__(self, server: ApiServer, run: Run) -> None:
        self.api, self._run, self._kubeconfig = Cluster(str(server.kubeconfig)), run, str(server.kubeconfig)
        self.prefix = uuid.uuid4().hex[:8]

    def named(self, name: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{self.prefix}-{name}"}}

    def path(self, name: str) -> str:
        return f"/api/v1/namespaces/default/configmaps/{self.prefix}-{name}"

    def create(self, name: str, *finalizers: str) -> None:
        body = self.named(name)
        body["metadata"]["finalizers"] = list(finalizers)
        self.api.request("POST", "/api/v1/namespaces/default/configmaps", body=body)

    def release(self, name: str) -> None:
        """Remove the finalizers."""
        body = {"metadata": {"finalizers": None}}
        self.api.request("PATCH", self.path(name), body=body, content_type=MERGE)

    def delete(self, *names: str, **options: Any) -> dict[str, Any]:
        return self._run("k8s_delete", kubeconfig=self._kubeconfig, objects=[*map(self.named, names)], **options)


@pytest.fixture
def trial(server: ApiServer, run: Run) -> Trial:
    return Trial(server, run)


def test_all_are_deleted_and_awaited(trial: Trial) -> None:
    trial.create("plain")
    trial.create("blocked", FINALIZER)
    other = Cluster(trial._kubeconfig)

    def release() -> None:
        """Release the object once its deletion was requested."""
        assert other.wait(
            "/api/v1/namespaces/default/configmaps",
            lambda items: any("deletionTimestamp" in each["metadata"] for each in items),
            30,
            fieldSelector=f"metadata.name={trial.prefix}-blocked",
        )[0]
        trial.release("blocked")

    thread = threading.Thread(target=release)
    thread.start()
    result = trial.delete("plain", "blocked", "absent", wait_timeout=30)
    thread.join()
    assert result["changed"]
    assert result["objects"] == [
        {"object": f"ConfigMap default/{trial.prefix}-plain", "action": "removed"},
        {"object": f"ConfigMap default/{trial.prefix}-blocked", "action": "removed"},
    ]
    assert trial.api.get(trial.path("plain")) is trial.api.get(trial.path("blocked")) is None


def test_a_second_run_writes_nothing(server: ApiServer, trial: Trial) -> None:
    trial.create("plain")
    assert trial.delete("plain")["changed"]
    before = server.writes()
    again = trial.delete("plain")
    assert (again["changed"], again["objects"], again["diff"]) == (False, [], [])
    assert server.writes() == before


def test_check_mode_deletes_nothing(server: ApiServer, trial: Trial) -> None:
    trial.create("plain")
    before = server.writes()
    planned = trial.delete("plain", check=True)
    assert planned["changed"]
    assert planned["diff"][0]["before"] and not planned["diff"][0]["after"]
    assert server.writes() == before
    assert trial.api.get(trial.path("plain"))


def test_what_blocks_a_deletion_is_named(trial: Trial) -> None:
    trial.create("blocked", FINALIZER)
    result = trial.delete("blocked", wait_timeout=2)
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "Not deleted after 2 s:",
        f"ConfigMap default/{trial.prefix}-blocked still exists: finalizers {FINALIZER}",
        "Remove what blocks the deletion and run again.",
    ]
    trial.release("blocked")


def test_an_object_that_was_replaced_meanwhile_stays(trial: Trial) -> None:
    trial.create("plain")
    found = delete.find(trial.api, [trial.named("plain")])
    trial.delete("plain")
    trial.create("plain")
    assert delete.delete(trial.api, found, 10) == []
    assert trial.api.get(trial.path("plain"))


def test_an_unknown_kind_does_not_exist(server: ApiServer, run: Run) -> None:
    unknown = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}}
    assert not run("k8s_delete", kubeconfig=str(server.kubeconfig), objects=[unknown])["changed"]


def test_a_refused_deletion_is_reported(server: ApiServer, run: Run) -> None:
    default = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    result = run("k8s_delete", kubeconfig=str(server.kubeconfig), objects=[default])
    assert result["failed"]
    assert "Namespace default: DELETE /api/v1/namespaces/default" in result["msg"]
    assert "this namespace may not be deleted" in result["msg"]


def test_objects_without_a_name_are_refused(server: ApiServer, run: Run) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "stringData": {"key": "hidden"}}
    result = run("k8s_delete", kubeconfig=str(server.kubeconfig), objects=[secret])
    assert result["failed"]
    assert "These objects cannot be deleted: " in result["msg"]
    assert "hidden" not in str(result)


def test_a_cluster_that_is_only_planned_has_nothing_to_delete(run: Run, tmp_path: Any) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    assert not run("k8s_delete", check=True, kubeconfig=str(tmp_path / "none"), objects=[secret])["changed"]
