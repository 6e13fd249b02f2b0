# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What may be done to the nodes of a k3s cluster."""

import json

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cluster.operations import nodes, number
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as pure
from hypothesis import given
from hypothesis import strategies as st

names = st.sampled_from([f"n-{number}" for number in range(1, 8)])
groups = st.lists(names, unique=True)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (pure.Found(), "absent"),
        (pure.Found(active=True, up=True, enabled=True), "absent"),
        (pure.Found(data=True), "stopped"),
        (pure.Found(data=True, active=True, enabled=True), "stopped"),
        (pure.Found(data=True, active=True, up=True), "stopped"),
        (pure.Found(data=True, active=True, up=True, enabled=True), "running"),
    ],
)
def test_state(found: pure.Found, state: str) -> None:
    assert pure.state(found) == state


def test_only_a_machine_that_joins_nobody_makes_a_cluster() -> None:
    assert pure.cluster_part("") == "cluster-init: true\n"
    assert pure.cluster_part("https://h:6443") == "server: https://h:6443\n"


def test_version() -> None:
    assert pure.version("k3s version v1.36.4+k3s1 (0123abcd)\ngo version go1.26.1\n") == "v1.36.4+k3s1"
    assert pure.version("") == ""
    assert number("v1.36.10+k3s1") > number("v1.36.9+k3s2") > number("v1.36.9+k3s1")


def seen(**versions: str) -> dict[str, dict]:
    return {name: {"version": version} for name, version in versions.items()}


@pytest.mark.parametrize(
    ("name", "versions", "wanted", "refusal"),
    [
        ("s1", {"s1": "v1.35.9+k3s1"}, "v1.36.4+k3s1", ""),
        ("s1", {"s1": "v1.36.3+k3s1"}, "v1.36.4+k3s1", ""),
        ("s1", {"s1": "v1.36.4+k3s1"}, "v1.36.4+k3s1", ""),
        (
            "s1",
            {"s1": "v1.34.1+k3s1"},
            "v1.36.4+k3s1",
            "s1: cluster_kubernetes: runs v1.34.1+k3s1, and v1.36.4+k3s1 skips a minor version. Upgrade to v1.35 "
            "first.",
        ),
        (
            "s1",
            {"s1": "v1.36.5+k3s1"},
            "v1.36.4+k3s1",
            "s1: cluster_kubernetes: runs v1.36.5+k3s1, which is newer than v1.36.4+k3s1. "
            "k3s cannot be downgraded: restore a snapshot.",
        ),
        (
            "a1",
            {"s1": "v1.36.3+k3s1", "a1": "v1.36.3+k3s1"},
            "v1.36.4+k3s1",
            "a1: cluster_kubernetes: must wait until s1 runs v1.36.4+k3s1. See the error there.",
        ),
        ("a1", {"s1": "v1.36.4+k3s1", "a1": "v1.36.3+k3s1"}, "v1.36.4+k3s1", ""),
        (
            "s2",
            {"s1": "v1.36.3+k3s1", "s2": "v1.36.3+k3s1"},
            "v1.36.4+k3s1",
            "s2: cluster_kubernetes: must wait until s1 runs v1.36.4+k3s1. See the error there.",
        ),
        ("s1", {"s1": "v1.36.3+k3s1", "s2": "v1.36.4+k3s1"}, "v1.36.4+k3s1", ""),
        (
            "s9",
            {"s1": "v1.36.4+k3s1"},
            "v1.36.4+k3s1",
            "s9: cluster_kubernetes: is not a node of its cluster. Join it first: ansible-playbook "
            "playbooks/clusters.yml",
        ),
    ],
)
def test_upgrade(name: str, versions: dict[str, str], wanted: str, refusal: str) -> None:
    found = pure.upgrade_findings(name, seen(**versions), ["s1", "s2"], wanted)
    assert [str(each) for each in found] == ([refusal] if refusal else [])


@given(st.integers(20, 60), st.integers(0, 9), st.integers(20, 60), st.integers(0, 9))
def test_an_upgrade_never_skips_and_never_goes_back(minor: int, patch: int, to: int, new: int) -> None:
    refused = pure.upgrade_findings("s", seen(s=f"v1.{minor}.{patch}+k3s1"), ["s"], f"v1.{to}.{new}+k3s1")
    assert bool(refused) is (to - minor > 1 or (to, new) < (minor, patch))


@given(names, groups, groups)
def test_a_removal_leaves_a_majority_alive(name: str, members: list[str], alive: list[str]) -> None:
    refusal = pure.removal_findings(name, members, alive)
    left = set(members) - {name}
    survives = len(left & set(alive)) * 2 > len(left)
    assert bool(refusal) is (name in members and not survives)


def test_words_of_a_refused_removal() -> None:
    assert str(*pure.removal_findings("s1", ["s1"], ["s1"])) == (
        "s1: is the last server of its cluster. To tear the whole fleet down: ./odp down INVENTORY"
    )
    assert str(*pure.removal_findings("s1", ["s1", "s2", "s3"], ["s1", "s2"])) == (
        "s1: without it only 1 of 2 servers would be alive, which is no majority: s3 does not answer. "
        "Fix or remove that server first."
    )
    # The dead one itself may go.
    assert pure.removal_findings("s3", ["s1", "s2", "s3"], ["s1", "s2"]) == []


def test_members_have_the_names_of_their_nodes() -> None:
    assert pure.member_nodes({"members": [{"name": "north-1-0123abcd"}, {"name": ""}, {"name": "b-4567abcd"}]}) == [
        "b",
        "north-1",
    ]
    assert pure.member_nodes({"members": None}) == []


def node(name: str, ready: str = "True", unschedulable: bool = False) -> dict:
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": "v1"}}
    return {"metadata": {"name": name}, "spec": {"unschedulable": unschedulable}, "status": status}


def test_nothing_is_drained_where_there_is_nowhere_to_go() -> None:
    def possible(*items: dict) -> bool:
        return pure.can_be_drained("a", nodes(json.dumps({"items": [node("a"), *items]})))

    assert not possible()
    assert not possible(node("b", ready="Unknown"), node("c", unschedulable=True))
    assert possible(node("b"))


def test_mounts_of_k3s_only_and_inner_ones_first() -> None:
    table = "\n".join(
        f"x {path} x"
        for path in (
            "/",
            "/run/k3s/a",
            "/run/k3s/a/b",
            "/run/k3s-other",
            "/var/lib/kubelet",
            "/run/netns/cni-1",
            "/var/lib/kubelet/pods/1",
        )
    )
    assert pure.mounts_to_end(table) == ["/var/lib/kubelet/pods/1", "/run/netns/cni-1", "/run/k3s/a/b", "/run/k3s/a"]


# What the files hold


def test_s3() -> None:
    assert pure.s3({}) == {}
    assert pure.s3({"bucket": "b", "secret_key": "s"}) == {
        "etcd-s3": True,
        "etcd-s3-bucket": "b",
        "etcd-s3-secret-key": "s",
    }


def test_registries_of_the_mirror() -> None:
    assert pure.registries(["ghcr.io"], "http://m:5000") == {
        "mirrors": {"ghcr.io": {"endpoint": ["http://m:5000"], "rewrite": {"^(.*)$": "ghcr.io/$1"}}}
    }
    assert pure.registries(["ghcr.io"], "") == {}


def test_nodes_by_what_was_found() -> None:
    hostvars = {
        "a": {"__cluster_k3s_found": {"state": "running"}},
        "b": {"__cluster_k3s_found": {"skipped": True}},
        "c": {},
    }
    found = pure.inspected(["a", "b", "c", "d"], hostvars)
    assert found == {"a": {"state": "running"}}
    assert pure.in_state(found, "running") == ["a"] and pure.in_state(found, "absent") == []


GOOD = {"state": "running", "version": "v1.36.4+k3s1", "same_token": True, "ca": "a" * 64}


def test_a_node_that_is_as_wanted_or_in_no_cluster_has_no_findings() -> None:
    assert pure.node_findings("s1", {"s1": GOOD, "s2": GOOD}, ["s1", "s2"], "v1.36.4+k3s1") == []
    absent = {"state": "absent", "version": "v1.30.0+k3s1", "same_token": False, "ca": ""}
    assert pure.node_findings("s2", {"s1": GOOD, "s2": absent}, ["s1", "s2"], "v1.36.4+k3s1") == []
    assert pure.node_findings("s2", {}, ["s1", "s2"], "v1.36.4+k3s1") == []


def test_words_of_a_node_of_another_cluster() -> None:
    other = {"state": "stopped", "version": "v1.35.0+k3s1", "same_token": False, "ca": "b" * 64}
    assert pure.node_findings("s1", {"s1": GOOD, "s2": other}, ["s1", "s2"], "v1.36.4+k3s1") == []
    assert pure.node_findings("s1", {"s1": GOOD, "s0": other}, ["s0", "s1"], "v1.36.4+k3s1") == []
    assert [
        str(each) for each in pure.node_findings("s2", {"s1": GOOD, "s2": other}, ["s1", "s2"], "v1.36.4+k3s1")
    ] == [
        "s2: cluster_kubernetes: runs k3s v1.35.0+k3s1, but the inventory wants v1.36.4+k3s1. "
        "To upgrade it: ./odp upgrade",
        "s2: cluster_k3s_token: the node has another token than cluster_k3s_token or .state/clusters/<cluster>/token. "
        "Restore the old value; to change the token, run on a server: k3s token rotate",
        "s2: holds data of a cluster other than that of s1: its CA is bbbbbbbbbbbb, that of s1 is aaaaaaaaaaaa. "
        "If its data can be deleted, uninstall k3s on it, then run again.",
    ]
