# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether a cluster can go to another version, which nodes are due, and who may leave."""

import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cluster import etcd_members as etcd
from ansible_collections.opendata.platform.plugins.module_utils.cluster import upgrade
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["ha-1", "ha-2", "ha-3"]
CLUSTER = {"name": "ha", "kubernetes": "v1.36.3", "nodes": NAMES, "servers": NAMES}


def node(version: str = "v1.35.4", ready: bool = True, drained: bool = False) -> dict[str, Any]:
    return {"version": version, "ready": ready, "drained": drained}


def listed(**versions: str) -> str:
    """What kubectl prints of ready nodes."""
    items = [
        {
            "metadata": {
                "name": name.replace("_", "-"),
                "annotations": {upgrade.MARK: "true"} if name == "ha_2" else {},
            },
            "status": {
                "nodeInfo": {"kubeletVersion": version},
                "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            },
        }
        for name, version in versions.items()
    ]
    return json.dumps({"items": items})


def test_nodes_as_the_api_lists_them() -> None:
    found = upgrade.nodes(listed(ha_1="v1.36.3", ha_2="v1.36.3", ha_3="v1.35.4"))
    assert found == {"ha-1": node("v1.36.3"), "ha-2": node("v1.36.3", drained=True), "ha-3": node()}
    assert upgrade.due(["ha-3", "ha-1", "ha-2"], found, "v1.36.3") == ["ha-3", "ha-2"]
    assert upgrade.nodes("") == {}


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        ({name: node() for name in NAMES}, NAMES, []),
        (
            {name: node() for name in NAMES},
            ["ha-1"],
            ["ha: ha-2, ha-3 did not answer. An upgrade needs every node: run again when all do."],
        ),
        ({}, NAMES, ["ha: none of its servers runs, so there is nothing to upgrade. Make it first: ./odp up"]),
        (
            {"ha-1": node("v1.33.1"), "ha-2": node("v1.37.0", ready=False)},
            NAMES,
            [
                "ha: ha-2 is not Ready. Mend it first: ./odp status says more.",
                "ha: ha-3 is no node of the cluster. "
                "Set cluster_kubernetes back and join it, or take it out of the inventory.",
                "ha: runs v1.37.0, which is newer than cluster_kubernetes v1.36.3. "
                "Kubernetes cannot go back: set cluster_kubernetes to that, or restore a backup.",
                "ha: runs v1.33.1, and cluster_kubernetes v1.36.3 is more than one minor on. "
                "Go one minor at a time: set cluster_kubernetes to a v1.34 first.",
            ],
        ),
    ],
)
def test_what_keeps_a_cluster_from_its_upgrade(found: dict, asked: list[str], expected: list[str]) -> None:
    assert upgrade.findings(CLUSTER, found, asked) == expected


@given(st.permutations(NAMES), st.sets(st.sampled_from(NAMES)))
def test_due_keeps_the_order_and_ends(order: list[str], done: set[str]) -> None:
    found = {name: node("v1.36.3" if name in done else "v1.35.4") for name in NAMES}
    due = upgrade.due(order, found, "v1.36.3")
    assert due == [name for name in order if name not in done]


MEMBERS = json.dumps(
    {"members": [{"ID": 255 + n, "name": name, "clientURLs": [f"https://{name}:2379"]} for n, name in enumerate(NAMES)]}
)


def health(*alive: str) -> str:
    return json.dumps([{"endpoint": f"https://{name}:2379", "health": name in alive} for name in NAMES])


def test_members_and_who_answers() -> None:
    assert etcd.members(MEMBERS) == {"ha-1": "ff", "ha-2": "100", "ha-3": "101"}
    assert etcd.healthy(health("ha-1", "ha-3"), MEMBERS) == ["ha-1", "ha-3"]
    assert etcd.members("") == {} and etcd.healthy("", "") == []


@pytest.mark.parametrize(
    ("leaving", "alive", "expected"),
    [
        (["ha-1"], NAMES, []),
        (["agent"], ["ha-1"], []),
        (["ha-3"], ["ha-1", "ha-2"], []),
        (NAMES, NAMES, ["ha: ha-1, ha-2, ha-3 would be the last to leave. To end the cluster: ./odp down"]),
        (
            ["ha-1"],
            ["ha-1", "ha-2"],
            [
                "ha: afterwards only 1 of 2 members of etcd would answer, no majority. "
                "Start the others first, or restore a backup."
            ],
        ),
        (
            ["ha-2", "ha-3"],
            ["ha-1"],
            [
                "ha: now only 1 of 3 members of etcd would answer, no majority. "
                "Start the others first, or restore a backup."
            ],
        ),
    ],
)
def test_who_may_leave(leaving: list[str], alive: list[str], expected: list[str]) -> None:
    assert etcd.findings(CLUSTER, leaving, etcd.members(MEMBERS), alive) == expected


def test_the_last_servers_stay_although_nobody_is_left_to_ask() -> None:
    expected = ["ha: ha-1, ha-2, ha-3 would be the last to leave. To end the cluster: ./odp down"]
    assert etcd.findings(CLUSTER, NAMES, {}, []) == expected


def test_no_server_leaves_while_nobody_says_who_the_members_are() -> None:
    words = "ha: etcd did not say who its members are, so nobody knows whether ha-1 can leave. See why: ./odp status"
    assert etcd.findings(CLUSTER, ["ha-1"], {}, []) == [words]
    assert etcd.findings(CLUSTER, ["agent"], {}, []) == []


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_majority_is_never_given_up(alive: set[str], leaving: set[str]) -> None:
    found = etcd.findings(CLUSTER, sorted(leaving), etcd.members(MEMBERS), sorted(alive))
    staying = [name for name in NAMES if name not in leaving]
    sound = staying and len(alive) >= 2 and len(alive - leaving) > len(staying) // 2
    assert bool(found) is not bool(sound)
