# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether a cluster can go to another version, which nodes are due, and who may leave."""

import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cluster import operations
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["ha-1", "ha-2", "ha-3"]
CLUSTER = {"name": "ha", "kubernetes": "v1.36.3", "nodes": NAMES, "control_planes": NAMES}


def node(version: str = "v1.35.4", ready: bool = True, drained: bool = False) -> dict[str, Any]:
    return {"version": version, "ready": ready, "schedulable": True, "drained": drained}


def text(findings: list[Finding]) -> list[str]:
    return [str(each) for each in findings]


def listed(**versions: str) -> str:
    """What kubectl prints of ready nodes."""
    items = [
        {
            "metadata": {
                "name": name.replace("_", "-"),
                "annotations": {operations.DRAINED: "true"} if name == "ha_2" else {},
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
    found = operations.nodes(listed(ha_1="v1.36.3", ha_2="v1.36.3", ha_3="v1.35.4"))
    assert found == {"ha-1": node("v1.36.3"), "ha-2": node("v1.36.3", drained=True), "ha-3": node()}
    assert operations.upgrade_due(["ha-3", "ha-1", "ha-2"], found, "v1.36.3") == ["ha-3", "ha-2"]
    assert operations.nodes("") == {}


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        ({name: node() for name in NAMES}, NAMES, []),
        (
            {name: node() for name in NAMES},
            ["ha-1"],
            ["ha: ha-2, ha-3 did not answer. An upgrade needs every node: run again when all answer."],
        ),
        (
            {},
            NAMES,
            ["ha: none of its control plane nodes is running, so there is nothing to upgrade. Run: ./odp up INVENTORY"],
        ),
        (
            {"ha-1": node("v1.33.1"), "ha-2": node("v1.37.0", ready=False)},
            NAMES,
            [
                "ha: ha-2 is not Ready. Fix it first; for details: ./odp status INVENTORY",
                "ha: ha-3 is not a node of the cluster. "
                "Set cluster_kubernetes back and join it, or remove it from the inventory.",
                "ha: cluster_kubernetes: runs v1.37.0, which is newer than v1.36.3. "
                "Kubernetes cannot be downgraded: set cluster_kubernetes to v1.37.0, or restore a backup.",
                "ha: cluster_kubernetes: runs v1.33.1, more than one minor version before v1.36.3. "
                "Upgrade one minor version at a time: set cluster_kubernetes to a v1.34 first.",
            ],
        ),
    ],
)
def test_what_keeps_a_cluster_from_its_upgrade(found: dict, asked: list[str], expected: list[str]) -> None:
    assert text(operations.upgrade_findings(CLUSTER, found, asked)) == expected


@given(st.permutations(NAMES), st.sets(st.sampled_from(NAMES)))
def test_due_keeps_the_order_and_ends(order: list[str], done: set[str]) -> None:
    found = {name: node("v1.36.3" if name in done else "v1.35.4") for name in NAMES}
    due = operations.upgrade_due(order, found, "v1.36.3")
    assert due == [name for name in order if name not in done]


MEMBERS = json.dumps(
    {"members": [{"ID": 255 + n, "name": name, "clientURLs": [f"https://{name}:2379"]} for n, name in enumerate(NAMES)]}
)


def health(*alive: str) -> str:
    return json.dumps([{"endpoint": f"https://{name}:2379", "health": name in alive} for name in NAMES])


def test_members_and_who_answers() -> None:
    assert operations.etcd_members(MEMBERS) == {"ha-1": "ff", "ha-2": "100", "ha-3": "101"}
    assert operations.healthy_members(health("ha-1", "ha-3"), MEMBERS) == ["ha-1", "ha-3"]
    assert operations.etcd_members("") == {} and operations.healthy_members("", "") == []


@pytest.mark.parametrize(
    ("leaving", "alive", "expected"),
    [
        (["ha-1"], NAMES, []),
        (["agent"], ["ha-1"], []),
        (["ha-3"], ["ha-1", "ha-2"], []),
        (
            NAMES,
            NAMES,
            [
                "ha: removing ha-1, ha-2, ha-3 would leave no control plane. "
                "To tear the whole fleet down: ./odp down INVENTORY"
            ],
        ),
        (
            ["ha-1"],
            ["ha-1", "ha-2"],
            [
                "ha: afterwards only 1 of 2 etcd members would answer, which is no majority. "
                "Start the others first, or restore a backup."
            ],
        ),
        (
            ["ha-2", "ha-3"],
            ["ha-1"],
            [
                "ha: now only 1 of 3 etcd members would answer, which is no majority. "
                "Start the others first, or restore a backup."
            ],
        ),
    ],
)
def test_who_may_leave(leaving: list[str], alive: list[str], expected: list[str]) -> None:
    assert text(operations.removal_findings(CLUSTER, leaving, operations.etcd_members(MEMBERS), alive)) == expected


def test_the_last_servers_stay_although_nobody_is_left_to_ask() -> None:
    expected = [
        "ha: removing ha-1, ha-2, ha-3 would leave no control plane. To tear the whole fleet down: ./odp down INVENTORY"
    ]
    assert text(operations.removal_findings(CLUSTER, NAMES, {}, [])) == expected


def test_no_server_leaves_while_nobody_says_who_the_members_are() -> None:
    problem = "ha: etcd does not list its members, so it is unknown whether ha-1 can leave."
    found = operations.removal_findings(CLUSTER, ["ha-1"], {}, [])
    assert text(found) == [f"{problem} For the cause: ./odp status INVENTORY"]
    assert operations.removal_findings(CLUSTER, ["agent"], {}, []) == []


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_majority_is_never_given_up(alive: set[str], leaving: set[str]) -> None:
    found = operations.removal_findings(CLUSTER, sorted(leaving), operations.etcd_members(MEMBERS), sorted(alive))
    staying = [name for name in NAMES if name not in leaving]
    sound = staying and len(alive) >= 2 and len(alive - leaving) > len(staying) // 2
    assert bool(found) is not bool(sound)
