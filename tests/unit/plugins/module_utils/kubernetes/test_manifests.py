# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Shape, order and showing of manifests."""

import base64
import copy
import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import manifests
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.manifests import is_current
from hypothesis import given
from hypothesis import strategies as st

KINDS = ["ConfigMap", "CustomResourceDefinition", "Deployment", "Namespace", "Secret"]


def manifest(kind: str, name: str, **more: object) -> manifests.Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.text("abc", min_size=1)), unique=True))
def test_what_others_need_comes_first_and_nothing_is_lost(identities: list[tuple[str, str]]) -> None:
    given_manifests = [manifest(kind, name) for kind, name in identities]
    stages = manifests.stages(given_manifests)
    order = [each["kind"] for stage in stages for each in stage]
    first = [kind in ("CustomResourceDefinition", "Namespace") for kind in order]
    assert first == sorted(first, reverse=True)
    assert len(order) == len(identities)
    assert stages == manifests.stages(reversed(given_manifests))


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=4), min_size=1))
def test_no_data_of_a_secret_is_shown(data: dict[str, str]) -> None:
    coded = {key: base64.b64encode(f"secret-{value}".encode()).decode() for key, value in data.items()}
    secret = manifest("Secret", "s", data=coded)
    secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": str(coded)}
    shown = manifests.diff("Secret s", None, secret)["after"]
    assert not [value for value in coded.values() if value in shown]
    assert secret["data"] == coded, "the object itself keeps its data"


def test_a_changed_secret_shows_that_it_changed() -> None:
    before, after = (manifest("Secret", "s", data={"key": value}) for value in ("b2xk", "bmV3"))
    entry = manifests.diff("Secret s", before, after)
    assert entry["before"] != entry["after"]


def test_string_data_of_a_secret_becomes_data() -> None:
    secret = manifest("Secret", "s", data={"a": "YQ=="}, stringData={"b": "text"})
    assert manifests.desired(secret)["data"] == {"a": "YQ==", "b": "dGV4dA=="}
    assert "stringData" not in manifests.desired(secret)


def test_all_findings_at_once() -> None:
    found = manifests.findings(
        [
            "text",
            {"kind": "ConfigMap", "metadata": {"name": "a"}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}},
            manifest("ConfigMap", "twice"),
            manifest("ConfigMap", "twice"),
        ]
    )
    assert found == [
        "manifest 1 is no mapping but str",
        "manifest 2 (ConfigMap a) has no apiVersion",
        "manifest 3 (ConfigMap without name) has no metadata.name",
        "manifest 5 (ConfigMap twice) is listed twice: remove one",
    ]


def test_load_reads_documents_and_lists() -> None:
    text = "---\n---\nkind: A\n---\nkind: List\nitems: [{kind: B}, {kind: C}]\n"
    assert [each["kind"] for each in manifests.load(text)] == ["A", "B", "C"]


def test_load_says_what_is_no_yaml() -> None:
    with pytest.raises(ValueError, match="while parsing"):
        manifests.load("a: [")


def test_paths() -> None:
    apps = manifests.Resource("apis/apps/v1", "deployments", True)
    assert apps.path("kube-system", "x") == "/apis/apps/v1/namespaces/kube-system/deployments/x"
    assert apps.path() == "/apis/apps/v1/deployments"
    assert manifests.Resource("api/v1", "namespaces", False).path("ignored", "x") == "/api/v1/namespaces/x"


def test_kinds_of_crds_are_known_before_the_cluster_knows_them() -> None:
    spec = {
        "group": "example.org",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
    }
    found = manifests.resources_of_crds([manifest("CustomResourceDefinition", "things.example.org", spec=spec)])
    assert found == {("example.org/v1", "Thing"): manifests.Resource("apis/example.org/v1", "things", True)}


def test_a_diff_of_several_lines_can_be_read() -> None:
    entry = manifests.diff("ConfigMap m", None, manifest("ConfigMap", "m", data={"values.yaml": "a: 1\nb: 2\n"}))
    assert "  values.yaml: |\n    a: 1\n    b: 2\n" in entry["after"]


SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}
FIELDS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}},
        "f:selector": {},
    },
}


def live(manager: str = "odp", operation: str = "Apply") -> dict[str, Any]:
    entry = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": FIELDS}
    item = copy.deepcopy(SERVICE)
    item["metadata"] |= {"managedFields": [entry], "uid": "1"}
    item["spec"] |= {"type": "ClusterIP", "clusterIP": "10.0.0.1"}
    item["spec"]["ports"][0] |= {"protocol": "TCP", "targetPort": 80}
    return item


def test_what_is_ours_and_equal_is_current() -> None:
    assert is_current(SERVICE, live(), "odp")


@pytest.mark.parametrize("item", [live("kubectl"), live(operation="Update"), {**live(), "apiVersion": "v2"}])
def test_what_another_one_wrote_is_left_to_the_server(item: dict[str, Any]) -> None:
    assert not is_current(SERVICE, item, "odp")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "labels", "app"), "other"),
        (("metadata", "labels", "new"), "label"),
        (("metadata", "labels"), {}),
        (("spec", "selector", "tier"), "front"),
        (("spec", "ports", 0, "name"), "other"),
        (("spec", "ports", 0, "port"), 81),
        (("spec", "ports"), []),
        (("spec", "type"), "NodePort"),
    ],
)
def test_any_other_wish_is_not_current(path: tuple[Any, ...], value: Any) -> None:
    wanted = copy.deepcopy(SERVICE)
    place: Any = wanted
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert not is_current(wanted, live(), "odp")


def test_an_added_key_in_a_map_that_is_replaced_as_a_whole_is_seen() -> None:
    item = live()
    item["spec"]["selector"]["added"] = "by hand"
    assert not is_current(SERVICE, item, "odp")


def test_what_others_add_beside_ours_is_theirs() -> None:
    item = live()
    item["metadata"]["labels"]["added"] = "by hand"
    item["spec"]["ports"].append({"name": "more", "port": 81, "protocol": "TCP"})
    assert is_current(SERVICE, item, "odp")


texts = st.text(max_size=3)


@given(st.dictionaries(st.text(min_size=1, max_size=3), texts), st.dictionaries(st.text(min_size=1, max_size=3), texts))
def test_a_map_is_current_exactly_when_it_is_what_was_applied(applied: dict[str, str], wanted: dict[str, str]) -> None:
    fields = {"f:data": {f"f:{key}": {} for key in applied}}
    entry = {"manager": "odp", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    item = {**head, "metadata": {"name": "m", "managedFields": [entry]}, "data": applied}
    assert is_current({**head, "metadata": {"name": "m"}, "data": wanted}, item, "odp") == (applied == wanted)


@given(st.sets(texts), st.sets(texts))
def test_a_set_is_current_exactly_when_it_is_what_was_applied(applied: set[str], wanted: set[str]) -> None:
    fields = {"f:finalizers": {f"v:{json.dumps(value)}": {} for value in applied}}
    entry = {"manager": "odp", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    item = {**head, "metadata": {"name": "m", "managedFields": [entry]}, "finalizers": sorted(applied)}
    desired = {**head, "metadata": {"name": "m"}, "finalizers": sorted(wanted)}
    assert is_current(desired, item, "odp") == (applied == wanted)
