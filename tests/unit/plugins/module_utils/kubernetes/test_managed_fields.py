# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether an apply could change anything, from managedFields as a real API server (1.36) wrote them."""

import copy
import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.managed_fields import is_current
from hypothesis import given
from hypothesis import strategies as st

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
