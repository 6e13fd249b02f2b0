# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module k8s_apply removes what left its set, against a real API server."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import prune
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer

Run = Callable[..., dict[str, Any]]


class Set:
    """A set of objects in a namespace of its own."""

    def __init__(self, server: ApiServer, run: Run) -> None:
        self.server, self.run, self.cluster = server, run, Cluster(str(server.kubeconfig))
        self.space = f"prune-{uuid.uuid4().hex[:8]}"
        self.label = f"example.org/set={self.space}"
        self.record = f"ConfigMap {prune.NAMESPACE}/{prune.record(self.label)['metadata']['name']}"
        self.path = f"/api/v1/namespaces/{self.space}"

    def apply(self, *manifests: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        options = {"prune_label": self.label, **options}
        return self.run("k8s_apply", check, kubeconfig=str(self.server.kubeconfig), manifests=[*manifests], **options)

    def namespace(self) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space}}

    def manifest(self, kind: str, name: str, api: str = "v1", **more: Any) -> dict[str, Any]:
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": self.space}, **more}

    def config_map(self, name: str) -> dict[str, Any]:
        return self.manifest("ConfigMap", name, data={"key": "value"})

    def role(self, name: str) -> dict[str, Any]:
        return self.manifest(
            "Role",
            name,
            "rbac.authorization.k8s.io/v1",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        )

    def names(self, plural: str = "configmaps") -> list[str]:
        return [each["name"] for each in self.cluster.names(f"{self.path}/{plural}", "")]

    def requests(self) -> list[str]:
        return [f"{each['verb']} {each['requestURI']}" for each in self.server.requests()]


@pytest.fixture
def objects(server: ApiServer, run: Run) -> Set:
    """A set with a namespace, two ConfigMaps and a Role."""
    made = Set(server, run)
    assert made.apply(*everything(made))["counts"]["created"] == 5, "four and the record"
    return made


def everything(objects: Set) -> list[dict[str, Any]]:
    return [objects.namespace(), objects.config_map("a"), objects.config_map("b"), objects.role("r")]


def actions(result: dict[str, Any], action: str) -> list[str]:
    return [each["object"] for each in result["objects"] if each["action"] == action]


def test_what_left_the_manifests_is_removed_and_nothing_else(objects: Set) -> None:
    result = objects.apply(objects.namespace(), objects.config_map("a"))
    space = objects.space
    assert actions(result, "removed") == [f"ConfigMap {space}/b", f"Role {space}/r"]
    assert (result["counts"]["removed"], actions(result, "changed")) == (2, [objects.record])
    assert (objects.names(), objects.cluster.get(f"/apis/rbac.authorization.k8s.io/v1{objects.path[7:]}/roles/r")) == (
        ["a"],
        None,
    )
    [shown] = [each for each in result["diff"] if each["before_header"] == f"ConfigMap {space}/b"]
    assert "key: value" in shown["before"] and shown["after"] == ""


def test_a_second_run_writes_nothing_and_asks_for_little(objects: Set) -> None:
    writes, requests = objects.server.writes(), objects.requests()
    result = objects.apply(*everything(objects))
    assert (result["changed"], result["counts"]["unchanged"], result["diff"]) == (False, 5, [])
    assert objects.server.writes() == writes
    # Two of discovery, the record, each of the four objects.
    assert len(objects.requests()) == len(requests) + 7


def test_a_new_object_takes_one_write_more(objects: Set) -> None:
    writes = objects.server.writes()
    objects.apply(*everything(objects), objects.config_map("new"))
    record = objects.record.rpartition("/")[2]
    written = [each.partition("?")[0].rpartition("/")[2] for each in objects.server.writes()[len(writes) :]]
    assert written == [record, "new"], "the record first"


def test_check_mode_says_what_would_be_removed(objects: Set) -> None:
    writes = objects.server.writes()
    planned = objects.apply(objects.namespace(), objects.config_map("new"), check=True)
    assert objects.server.writes() == writes
    done = objects.apply(objects.namespace(), objects.config_map("new"))
    assert (planned["objects"], planned["counts"]) == (done["objects"], done["counts"])
    assert done["counts"] == {"created": 1, "changed": 1, "unchanged": 1, "removed": 3}


def test_objects_with_data_stay_until_that_is_asked_for(objects: Set) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    data = [objects.manifest("Secret", "s"), objects.manifest("PersistentVolumeClaim", "p", spec=claim)]
    objects.apply(*everything(objects), *data)
    for _ in range(2):  # they stay in the set
        kept = objects.apply(objects.config_map("a"))
        assert kept["kept"] == [f"{each} {objects.space}{name}" for each, name in DATA]
    assert not kept["changed"]
    removed = objects.apply(objects.config_map("a"), prune_data=True)
    assert (removed["counts"]["removed"], removed["kept"]) == (3, [])
    assert objects.names("secrets") == []


DATA = [("Namespace", ""), ("PersistentVolumeClaim", "/p"), ("Secret", "/s")]


def test_a_removed_secret_shows_no_data(objects: Set) -> None:
    objects.apply(*everything(objects), objects.manifest("Secret", "s", stringData={"key": "very-secret"}))
    result = objects.apply(*everything(objects), prune_data=True)
    assert result["counts"]["removed"] == 1
    assert "very-secret" not in str(result) and "dmVyeS1zZWNyZXQ=" not in str(result)


def test_what_is_not_ours_stays(objects: Set) -> None:
    wanted = objects.namespace()
    # With our label, by another; made anew by another under a name that was ours; ours, but released by its user.
    objects.apply(wanted, objects.config_map("theirs"), prune_label=None, field_manager="other")
    objects.cluster.request("PATCH", f"{objects.path}/configmaps/theirs", *labels("example.org/set", objects.space))
    objects.cluster.request("DELETE", f"{objects.path}/configmaps/a")
    objects.apply(
        wanted,
        prune.labelled(objects.config_map("a"), objects.label),
        prune_label=None,
        field_manager="x",
    )
    objects.cluster.request("PATCH", f"{objects.path}/configmaps/b", *labels("example.org/set", None))
    result = objects.apply(wanted)
    assert actions(result, "removed") == [f"Role {objects.space}/r"]
    assert set(objects.names()) == {"a", "b", "theirs"}


def labels(key: str, value: str | None) -> tuple[Any, ...]:
    body = {"metadata": {"labels": {key: value}}}
    return {}, body, "application/json", "application/merge-patch+json"


def test_what_is_going_away_already_is_left_alone(objects: Set) -> None:
    held = {"metadata": {"finalizers": ["example.org/held"]}}
    patch = ({}, held, "application/json", "application/merge-patch+json")
    objects.cluster.request("PATCH", f"{objects.path}/configmaps/b", *patch)
    rest = [objects.namespace(), objects.config_map("a"), objects.role("r")]
    assert objects.apply(*rest)["counts"]["removed"] == 1
    assert not objects.apply(*rest)["changed"]
    assert "b" in objects.names()


def test_what_a_killed_run_made_is_removed_by_a_later_one(objects: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_arguments: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(prune.Pruner, "_read", killed)
        with pytest.raises(json.JSONDecodeError):
            objects.apply(*everything(objects), objects.config_map("new"))
    assert "new" in objects.names()
    assert actions(objects.apply(*everything(objects)), "removed") == [f"ConfigMap {objects.space}/new"]


def test_a_crd_stays_and_its_objects_go(objects: Set) -> None:
    kind = f"Thing{uuid.uuid4().hex[:6]}".capitalize()
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.test.example.org"},
        "spec": {"group": "test.example.org", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    objects.apply(*everything(objects), crd, objects.manifest(kind, "x", "test.example.org/v1"))
    result = objects.apply(*everything(objects))
    assert actions(result, "removed") == [f"{kind} {objects.space}/x"]
    assert result["kept"] == [f"CustomResourceDefinition {crd['metadata']['name']}"]
    assert objects.apply(*everything(objects), prune_data=True)["counts"]["removed"] == 1
    assert objects.apply(*everything(objects))["changed"] is False


def test_nothing_is_removed_or_noted_where_an_object_is_refused(objects: Set) -> None:
    theirs = objects.config_map("theirs")
    objects.apply(theirs, prune_label=None, field_manager="other")
    writes = objects.server.writes()
    ours = {**theirs, "data": {"key": "ours"}}
    assert len(objects.apply(objects.config_map("new"), ours)["findings"]) == 1
    assert objects.server.writes() == writes


def test_what_cannot_be_removed_is_named(objects: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Cluster.request

    def refusing(self: Cluster, method: str, path: str, *rest: Any, **options: Any) -> dict[str, Any]:
        if method == "DELETE":  # made anew by another since it was read
            options["body"]["preconditions"]["uid"] = str(uuid.uuid4())
        return request(self, method, path, *rest, **options)

    monkeypatch.setattr(Cluster, "request", refusing)
    refused = objects.apply(objects.namespace(), objects.config_map("a"), objects.role("r"))
    assert refused["findings"][0].startswith(f"ConfigMap {objects.space}/b is not removed: DELETE ")
    monkeypatch.undo()
    assert objects.apply(objects.namespace(), objects.config_map("a"), objects.role("r"))["counts"]["removed"] == 1


def test_an_empty_set_is_refused_before_anything_is_asked(objects: Set) -> None:
    requests = objects.requests()
    refused = objects.apply()
    assert refused["msg"] == (
        f"These manifests cannot be applied: there are none, and prune_label {objects.label} "
        "would remove all that it was put on: give at least one."
    )
    assert objects.requests() == requests
