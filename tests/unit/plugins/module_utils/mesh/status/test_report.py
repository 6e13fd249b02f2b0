# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The matrix of `mesh status` and the checks of `mesh test`, from what real agents of Cilium 1.20.2 said."""

import copy
import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import agents, info
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import report as status_report
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.agents import Expected, Seen
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.client import View
from hypothesis import given
from hypothesis import strategies as st

from repository import TESTS

FIXTURES = TESTS / "unit/plugins/module_utils/mesh/fixtures"
AGENT = agents.of_agent((FIXTURES / "a-agent-status-ready.json").read_text())
KVSTOREMESH = agents.of_kvstoremesh((FIXTURES / "a-kvstoremesh-ready.json").read_text(), "", 0) or {}
NODE = json.loads((FIXTURES / "north-nodes.json").read_text())[1]
WELL = {"ready": True, "nodes": 1, "endpoints": 2, "services": 1, "reason": ""}


def probed(pods: bool = True) -> dict[str, Any]:
    """What is judged in cluster a when the node of b answers, and the pod on it does or does not."""
    wanted = agents.targets(json.dumps([{**NODE, "name": "b/b-1"}]), ["b"])
    return agents.judge(wanted, " ".join(each.at for each in wanted["b"] if pods or each.words.startswith("node")))


def answer(
    agent: dict[str, Any] = AGENT, mesh: dict[str, Any] = KVSTOREMESH, traffic: Any = None, **changes: Any
) -> dict[str, Any]:
    """What module cilium_clustermesh_info returns for cluster a when its pods say this; changes are of the record."""
    view = View([Seen("cilium-x", agent)], [Seen("mesh-x", mesh)], traffic or probed())
    days = {"server": 364, "remote": 30, "local": 200}
    record = {
        "name": "a",
        "peers": {"b": {"endpoints": [], "ips": [], "managed_by": ""}},
        "tls": {
            "leafs": {leaf: {"days_left": left, "not_after": "2026-01-02T03:04:05Z"} for leaf, left in days.items()}
        },
        "status": agents.summary(view.agents, view.kvstoremesh or []),
        **changes,
    }
    wait_for = ["kvstoremesh", "agents", "traffic"]
    return {"cluster": record, "reasons": info.missing(view, "a", [Expected("b", 2)], wait_for, 0)}


def peer(found: dict[str, Any], name: str = "b") -> dict[str, Any]:
    return status_report.matrix(["a", "b"], {"a": found}, {})["a"]["peers"][name]


def test_all_well() -> None:
    found = status_report.matrix(["b", "a"], {"a": answer()}, {})
    assert found == {"a": {"peers": {"b": WELL}, "certificate_days": 30, "reason": ""}}
    assert status_report.status(found, failed=False) == {
        "ok": True,
        "clusters": {"a": {"peers": {"b": WELL}, "certificate_days": 30}},
    }
    assert status_report.unhealthy(answer(), "a", ["a", "b"]) == []


def test_unreachable_traffic_is_not_ready_even_though_cilium_says_so() -> None:
    found = answer(traffic=probed(pods=False))
    assert found["cluster"]["status"]["clusters"]["b"]["ready"] is True
    row = peer(found)
    address = NODE["health-endpoint-address"]["ipv4"]["ip"]
    why = f"traffic: pod of node b/b-1 ({address}) does not answer within 3 s"
    assert row == {**WELL, "ready": False, "reason": why}
    assert status_report.unhealthy(found, "a", ["a", "b"]) == [f"cluster a, peer b: {why}"]
    assert status_report.status(status_report.matrix(["a", "b"], {"a": found}, {}), failed=False)["ok"] is False


def test_an_agent_and_kvstoremesh_that_see_nobody() -> None:
    row = peer(answer(agent={}, mesh={}))
    assert (row["ready"], row["nodes"], row["endpoints"], row["services"]) == (False, 0, 0, 0)
    why = "does not know this peer: the kubelet has not refreshed the Secret, or the drain grace period goes on"
    assert row["reason"] == f"KVStoreMesh mesh-x: {why}; agent cilium-x: {why}"


def test_a_cluster_of_another_id_is_not_the_peer() -> None:
    other = {"b": {**AGENT["b"], "config": {**AGENT["b"]["config"], "cluster-id": 9}}}
    assert "agent cilium-x: reaches a cluster with id 9, expected is 2" in peer(answer(agent=other))["reason"]


def test_what_concerns_the_whole_cluster_concerns_each_peer() -> None:
    leafs = {
        "remote": {"days_left": -1, "not_after": "2026-01-02T03:04:05Z"},
        "admin": {"days_left": 0, "not_after": ""},
    }
    found = answer(tls={"leafs": leafs})
    found["reasons"] = ["cluster a: agent cilium-y: it is not running yet"]
    why = "agent cilium-y: it is not running yet; its remote certificate expired 2026-01-02T03:04:05Z"
    row = status_report.matrix(["a", "b"], {"a": found}, {})["a"]
    assert row["reason"] == row["peers"]["b"]["reason"] == why
    assert row["certificate_days"] == -1
    assert status_report.unhealthy(found, "a", ["a", "b"]) == [f"cluster a: {each}" for each in why.split("; ")]
    assert status_report.status({"a": {**row, "peers": {}}}, failed=False)["ok"] is False


def test_a_kubeconfig_that_leads_elsewhere() -> None:
    assert status_report.unhealthy(answer(), "north", ["north", "b"]) == [
        "cluster north: its kubeconfig points to cluster a"
    ]


def test_an_entry_that_the_inventory_does_not_know_is_a_row() -> None:
    entries = {name: {} for name in ("a", "b", "elsewhere")}
    assert peer(answer(peers=entries), "elsewhere")["reason"] == "no agent knows this peer"
    status = copy.deepcopy(answer()["cluster"]["status"])
    status["clusters"]["elsewhere"] = {**status["clusters"]["b"], "ready": False, "error": "not connected: EOF"}
    found = answer(peers=entries, status=status)
    assert peer(found, "elsewhere")["reason"] == "not connected: EOF"
    assert status_report.unhealthy(found, "a", ["a", "b"]) == ["cluster a, peer elsewhere: not connected: EOF"]


def test_a_cluster_that_does_not_answer_is_a_row_with_the_reason() -> None:
    found = status_report.matrix(["a", "b", "c", "left"], {"a": answer()}, {"b": "https://b:6443 does not answer"})
    assert [*found] == ["a", "b"]
    assert found["b"]["certificate_days"] is None
    lost = {"ready": False, "nodes": 0, "endpoints": 0, "services": 0, "reason": "https://b:6443 does not answer"}
    assert found["b"]["peers"] == {"a": lost, "c": lost, "left": lost}
    assert status_report.status(found, failed=True)["ok"] is False
    assert status_report.status({}, failed=False)["ok"] is False


def test_a_cluster_that_check_mode_does_not_find_is_not_made_yet() -> None:
    planned = {"cluster": {}, "reasons": []}
    row = status_report.matrix(["a", "b"], {"a": planned}, {})["a"]
    assert row["certificate_days"] is None
    assert row["peers"] == {"b": {"ready": False, "nodes": 0, "endpoints": 0, "services": 0, "reason": "not made yet"}}


def test_table_has_a_line_for_each_pair() -> None:
    found = status_report.matrix(["a", "b"], {"a": answer()}, {"b": "no\n answer"})
    assert status_report.table(found) == [
        "cluster  peer  ready  nodes  endpoints  services  certificate  reason",
        "a        b     yes    1      2          1         30 days      ok",
        "b        a     no     0      0          0         -            no answer",
    ]
    alone = status_report.matrix(["a"], {"a": answer(agent={}, mesh={}, peers={})}, {})
    assert status_report.table(alone)[1].split() == ["a", "-", "-", "-", "-", "-", "30", "days", "ok"]


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True), st.booleans(), st.booleans())
def test_whatever_is_seen_the_object_is_ok_only_if_nothing_is_unwell(
    members: list[str], lost: bool, broken: bool
) -> None:
    seen = {"a": answer(traffic=probed(pods=not broken))}
    found = status_report.matrix(members, seen, {"b": "gone"} if lost else {})
    status = status_report.status(found, failed=False)
    assert status == json.loads(json.dumps(status))
    assert [*status["clusters"]] == sorted({*members} & ({"a", "b"} if lost else {"a"}))
    unhealthy = status_report.unhealthy(seen["a"], "a", members) if "a" in members else []
    assert status["ok"] is (bool(found) and not unhealthy and "b" not in found)
    assert len(status_report.table(found)) == 1 + sum(max(len(row["peers"]), 1) for row in found.values())


CHECK = {"name": "all", "ok": True, "expected": "a, b", "found": "a 9, b 11", "seconds": 2.14}


def test_checks_of_all_clusters() -> None:
    found = status_report.checks({"b": [CHECK], "a": [{**CHECK, "name": "local", "words": "not shown"}]}, {})
    assert found == [{"cluster": "a", **CHECK, "name": "local"}, {"cluster": "b", **CHECK}]
    assert status_report.test(found, failed=False) == {"ok": True, "checks": found}
    assert status_report.check_table(found) == [
        "cluster  check  ok   seconds  expected  found",
        "a        local  yes  2.1      a, b      a 9, b 11",
        "b        all    yes  2.1      a, b      a 9, b 11",
    ]


@pytest.mark.parametrize(
    ("checks", "failures", "failed"),
    [
        ([], {}, False),
        ([CHECK], {}, True),
        ([CHECK, {**CHECK, "ok": False}], {}, False),
        ([CHECK], {"b": "no answer"}, False),
    ],
)
def test_a_test_that_did_not_test_all_is_not_ok(checks: list[Any], failures: dict[str, str], failed: bool) -> None:
    assert status_report.test(status_report.checks({"a": checks}, failures), failed)["ok"] is False


def test_a_cluster_that_failed_without_checks_is_one_itself() -> None:
    found = status_report.checks({"a": [CHECK], "b": []}, {"a": "a wrong check", "b": "no answer"})
    assert found[1:] == [
        {"cluster": "b", "name": "run", "ok": False, "expected": "checks", "found": "no answer", "seconds": 0}
    ]
