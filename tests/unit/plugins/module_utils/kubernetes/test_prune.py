# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which objects belong to a set, and how a record names them."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import prune
from hypothesis import given
from hypothesis import strategies as st

LABEL = "example.org/set=team"
NAMES = st.from_regex(r"[a-z0-9:.-]{1,8}", fullmatch=True)
ENTRIES = st.sets(
    st.builds(
        prune.Entry,
        st.sampled_from(["", "apps", "a.example.org"]),
        st.sampled_from(["Role", "Job"]),
        NAMES,
        NAMES,
    )
    | st.builds(prune.Entry, st.just("rbac.example.org"), st.just("ClusterRole"), st.just(""), NAMES)
)


@given(ENTRIES)
def test_a_record_names_what_it_was_made_of(entries: set[prune.Entry]) -> None:
    assert prune.entries(prune.record(LABEL, entries)) == entries


def test_a_record_can_be_read() -> None:
    found = prune.record(
        LABEL,
        [
            prune.Entry("", "Namespace", "", "a"),
            prune.Entry("apps", "Deployment", "a", "b"),
        ],
    )
    assert found["data"] == {"label": LABEL, "objects": "Deployment.apps/a/b\nNamespace//a\n"}
    assert found["metadata"]["labels"] == {"example.org/set": "team"}


def test_each_label_has_a_record_of_its_own() -> None:
    labels = [LABEL, "example.org/set=teams", "example.org/sets=team", "set=team"]
    assert len({prune.record(label)["metadata"]["name"] for label in labels}) == len(labels)


@pytest.mark.parametrize("label", ["", "team", "=team", "set=", "set=Team", "a/b/c=d", "set=a=b", "set=-a", "s t=a"])
def test_what_is_no_label_is_refused(label: str) -> None:
    words = f"prune_label '{label}' is no key=value with a value in small letters, such as example.org/set=team"
    assert prune.finding(label, [{}]) == words


@pytest.mark.parametrize("label", [LABEL, "set=team", "opendata.platform/part=a-1"])
def test_a_label_is_taken(label: str) -> None:
    assert prune.finding(label, [{}]) == ""


def test_the_label_is_put_beside_others_on_a_copy() -> None:
    manifest = {"kind": "A", "metadata": {"name": "a", "labels": {"app": "a", "example.org/set": "other"}}}
    assert prune.labelled(manifest, LABEL)["metadata"]["labels"] == {
        "app": "a",
        "example.org/set": "team",
    }
    assert manifest["metadata"]["labels"]["example.org/set"] == "other"


def live(manager: str = "odp", operation: str = "Apply", **metadata: Any) -> dict[str, Any]:
    fields = [{"manager": "kubectl", "operation": "Update"}, {"manager": manager, "operation": operation}]
    return {"metadata": {"labels": {"example.org/set": "team"}, "managedFields": fields, **metadata}}


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (live(), True),
        (live("kubectl"), False),
        (live(operation="Update"), False),
        (live(labels={"example.org/set": "teams"}), False),
        (live(labels=None), False),
        (live(managedFields=[{"manager": "odp", "operation": "Apply", "subresource": "status"}]), False),
        (live(deletionTimestamp="2026-01-01T00:00:00Z"), False),
    ],
)
def test_only_what_we_applied_with_the_label_is_ours(found: dict[str, Any], ours: bool) -> None:
    assert prune.is_ours(found, LABEL, "odp") is ours
