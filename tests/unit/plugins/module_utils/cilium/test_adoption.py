# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What taking over a Cilium of somebody else would change, and which versions can be."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cilium.adoption import differences, version_problem
from hypothesis import given
from hypothesis import strategies as st

DEFAULTS = {"kubeProxyReplacement": "false", "ipam": {"mode": "cluster-pool"}, "cluster": {"id": 0, "name": "default"}}
OURS = {"kubeProxyReplacement": True, "ipam": {"mode": "kubernetes"}, "cluster": {"name": "aws", "id": 1}}
values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


def test_each_value_path_by_path() -> None:
    theirs = {"kubeProxyReplacement": "true", "cluster": {"name": "old"}, "bpf": {"masquerade": True}}
    assert differences(theirs, DEFAULTS, OURS) == [
        "bpf.masquerade: theirs true, ours unset (the default)",
        "cluster.id: theirs 0 (the default), ours 1; running pods must be restarted",
        "cluster.name: theirs old, ours aws; running pods must be restarted",
        "ipam.mode: theirs cluster-pool (the default), ours kubernetes; running pods must be restarted",
    ]


@given(values)
def test_the_same_values_do_not_differ(same: dict[str, Any]) -> None:
    assert differences(same, {}, same) == []


@given(values, values)
def test_what_differs_one_way_differs_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = differences(one, {}, other), differences(other, {}, one)
    assert [line.partition(": theirs")[0] for line in there] == [line.partition(": theirs")[0] for line in back]


def test_a_default_that_somebody_wrote_down_is_no_difference() -> None:
    assert differences({"kubeProxyReplacement": False, "a": {}}, DEFAULTS, {}) == []


@pytest.mark.parametrize(
    "theirs",
    [
        {"tls": {"ca": {"key": "very-secret"}}},
        {"etcd": {"password": "very-secret"}},
        {"extraEnv": [{"name": "SOMETHING", "value": "very-secret"}]},
        {"extraConfig": {"text": "very-secret\nlines"}},
        {"clustermesh": {"config": {"clusters": [{"name": "x", "tls": {"key": "very-secret"}}]}}},
    ],
)
def test_what_may_be_a_secret_is_a_digest(theirs: dict[str, Any]) -> None:
    [line] = differences(theirs, {}, {})
    assert "very-secret" not in line and "sha256:" in line


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ("1.20.2", ""),
        ("1.20.0", ""),
        ("1.19.6", ""),
        ("1.18.12", "is version 1.18.12, more than one minor before ours (1.20.2); upgrade it to 1.19 first"),
        (
            "1.20.3",
            "is version 1.20.3, newer than ours (1.20.2); set artifacts_versions.cilium to it, or to a newer one",
        ),
        (
            "1.21.0",
            "is version 1.21.0, newer than ours (1.20.2); set artifacts_versions.cilium to it, or to a newer one",
        ),
        ("unknown", ""),
    ],
)
def test_versions(theirs: str, words: str) -> None:
    assert version_problem(theirs, "1.20.2") == words
