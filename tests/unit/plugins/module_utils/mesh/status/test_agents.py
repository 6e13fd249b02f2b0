# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What agents and KVStoreMesh of Cilium 1.20.2 said on real clusters, and what is made of it."""

import copy
import json
import socket
import subprocess
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import agents as status_agents
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.agents import Expected, Seen
from hypothesis import given
from hypothesis import strategies as st

from repository import TESTS

FIXTURES = TESTS / "unit/plugins/module_utils/mesh/fixtures"
PEER = Expected("b", 2)


def text(name: str) -> str:
    return (FIXTURES / name).read_text()


def remote(**changes: Any) -> dict[str, Any]:
    """The peer as the real agent saw it, altered."""
    return {**status_agents.of_agent(text("a-agent-status-ready.json"))["b"], **changes}


def test_a_real_agent_and_kvstoremesh_that_see_their_peer() -> None:
    agents = [Seen("cilium-x", status_agents.of_agent(text("a-agent-status-ready.json")))]
    meshes = [Seen("mesh-x", status_agents.of_kvstoremesh(text("a-kvstoremesh-ready.json"), "", 0) or {})]
    assert status_agents.summary(agents, meshes) == {
        "agents": {"total": 1, "ready": 1},
        "kvstoremesh": {"b": True},
        "clusters": {"b": {"ready": True, "cluster_id": 2, "nodes": 1, "endpoints": 2, "services": 1, "error": ""}},
    }
    assert status_agents.reasons("a", [PEER], "agent", agents) == []
    assert status_agents.reasons("a", [PEER], "KVStoreMesh", meshes) == []


def test_a_real_peer_that_drains() -> None:
    agents = [Seen("cilium-x", status_agents.of_agent(text("a-agent-draining.json")))]
    meshes = [Seen("mesh-x", status_agents.of_kvstoremesh(text("a-kvstoremesh-draining.json"), "", 0) or {})]
    waits = "connected, but its cluster configuration has not arrived"
    assert status_agents.summary(agents, meshes) == {
        "agents": {"total": 1, "ready": 0},
        "kvstoremesh": {},
        "clusters": {"b": {"ready": False, "cluster_id": 0, "nodes": 0, "endpoints": 0, "services": 0, "error": waits}},
    }
    assert status_agents.reasons("a", [PEER], "agent", agents) == [f"cluster a, peer b: agent cilium-x: {waits}"]
    assert status_agents.reasons("a", [PEER], "KVStoreMesh", meshes) == [
        "cluster a, peer b: KVStoreMesh mesh-x: does not know this peer: "
        "the kubelet has not refreshed the Secret, or the drain grace period goes on"
    ]


def test_an_old_kvstoremesh_cannot_say() -> None:
    assert status_agents.of_kvstoremesh("", 'Error: unknown command "kvstoremesh-dbg"', 1) is None
    with pytest.raises(ValueError, match="Failed to retrieve status information: no socket"):
        status_agents.of_kvstoremesh("Failed to retrieve status information: no socket\n", "", 1)


def test_an_agent_without_mesh_knows_no_peers() -> None:
    assert status_agents.of_agent(json.dumps({"cilium": {"state": "Ok"}})) == {}


@pytest.mark.parametrize(
    ("changes", "wanted", "words"),
    [
        ({}, PEER, ""),
        ({"connected": False, "ready": False, "status": "EOF"}, PEER, "not connected: EOF"),
        (
            {},
            Expected("b", 7),
            "reaches a cluster with id 2, expected is 7: its endpoint belongs to another cluster",
        ),
        ({"ready": False, "synced": {"nodes": True, "services": True}}, PEER, "not in sync yet: endpoints, identities"),
        ({"ready": False}, PEER, "not ready: etcd: 1/1 connected, leases=0"),
        ({}, Expected("b", 2, nodes=3), "knows 1 of its 3 nodes"),
    ],
)
def test_lacks(changes: dict[str, Any], wanted: Expected, words: str) -> None:
    found = status_agents.lack(remote(**changes), wanted)
    assert found == words or (words.startswith("not ready") and found.startswith(words))


def test_reasons_name_the_pods_that_share_them() -> None:
    known = {"b": remote()}
    lame = {"b": remote(ready=False, synced={})}
    seen = [Seen(f"cilium-{name}", lame) for name in "edcba"] + [Seen("cilium-ok", known)]
    seen.append(Seen("cilium-new", {}, "it is not running yet"))
    lines = [
        "cluster a: agent cilium-new: it is not running yet",
        "cluster a, peer b: agent cilium-a, cilium-b, cilium-c and 2 more: "
        "not in sync yet: nodes, endpoints, identities, services",
    ]
    assert status_agents.reasons("a", [PEER], "agent", seen) == lines
    assert status_agents.reasons("a", [PEER], "agent", seen, allowed=5) == lines
    assert status_agents.reasons("a", [PEER], "agent", seen, allowed=6) == []
    assert status_agents.reasons("a", [PEER], "agent", []) == ["cluster a: there is no pod of agent"]


def test_expected_leaves_the_own_cluster_out() -> None:
    records = [{"name": "b", "id": "2", "node_ips": ["1", "2"]}, {"name": "a", "id": 1}, {"name": "c", "id": 3}]
    assert status_agents.expected(records, "a", False) == [Expected("b", 2), Expected("c", 3)]
    assert status_agents.expected(records, "a", True) == [Expected("b", 2, 2), Expected("c", 3, 1)]


RC = st.fixed_dictionaries(
    {"name": st.sampled_from("bcd")},
    optional={
        "connected": st.booleans(),
        "ready": st.booleans(),
        "num-nodes": st.integers(0, 5),
        "config": st.fixed_dictionaries({}, optional={"cluster-id": st.integers(1, 3), "retrieved": st.booleans()}),
        "synced": st.dictionaries(st.sampled_from(["nodes", "endpoints", "identities", "services"]), st.booleans()),
    },
)


@given(st.lists(st.lists(RC, max_size=3), max_size=3))
def test_whatever_pods_say_there_is_a_summary_and_it_agrees_with_the_reasons(said: list[list[dict[str, Any]]]) -> None:
    seen = [Seen(f"p{n}", {each["name"]: each for each in clusters}) for n, clusters in enumerate(said)]
    before = copy.deepcopy(seen)
    found = status_agents.summary(seen, seen)
    for name, cluster in found["clusters"].items():
        wanted = [Expected(name, cluster["cluster_id"])]
        agreed = {
            (each.clusters[name].get("config") or {}).get("cluster-id", 0) for each in seen if name in each.clusters
        }
        if len(agreed) == 1:
            assert cluster["ready"] is (status_agents.reasons("a", wanted, "agent", seen) == [])
        assert bool(cluster["error"]) is not cluster["ready"]
        assert found["kvstoremesh"][name] is cluster["ready"]
    assert seen == before


NODES = json.loads(text("north-nodes.json"))
NODE, POD = "10.77.0.12", "10.2.0.94"  # of south, in what a real agent listed


def test_a_peer_is_reachable_when_its_nodes_and_pods_answer() -> None:
    wanted = status_agents.targets(text("north-nodes.json"), ["b", "south"])
    assert [each.host for each in wanted["south"]] == [NODE, POD] and wanted["b"] == []
    assert status_agents.judge(wanted, f"{POD}/4240\n{NODE}/4240\n") == {
        "b": {"reachable": False, "reason": "no node of it is known"},
        "south": {"reachable": True, "reason": ""},
    }
    found = status_agents.judge(wanted, f"{NODE}/4240")["south"]
    assert found == {"reachable": False, "reason": f"pod of node south/south-1 ({POD}) does not answer within 3 s"}


def test_agents_may_run_without_the_pod_to_probe() -> None:
    node = {key: value for key, value in NODES[1].items() if key != "health-endpoint-address"}
    wanted = status_agents.targets(json.dumps([{**node, "name": "b/b-1"}]), ["b"])
    assert [each.host for each in wanted["b"]] == [NODE]
    assert status_agents.judge(wanted, f"{NODE}/4240")["b"]["reachable"]


def test_the_probe_prints_what_listens_and_ends_in_time() -> None:
    with socket.socket() as silent, socket.create_server(("127.0.0.2", 4240)):
        silent.bind(("127.0.0.3", 4240))
        places = [status_agents.Target("node", ip) for ip in ("127.0.0.2", "127.0.0.3")]
        done = subprocess.run(
            status_agents.command({"b": places}), capture_output=True, text=True, timeout=10, check=False
        )
    assert done.stdout == "127.0.0.2/4240\n"


def test_some_nodes_stand_for_many() -> None:
    nodes = [{**NODES[1], "name": f"b/b-{number}"} for number in range(100)]
    wanted = status_agents.targets(json.dumps(nodes), ["b"])
    assert len(wanted["b"]) == 16


def test_one_address_of_an_endpoint_is_enough() -> None:
    end = {"type": "NodePort", "ips": ["192.0.2.1", "192.0.2.2"], "address": "", "port": 32379}
    wanted = status_agents.endpoints([{"name": "b", "endpoint": end}, {"name": "c", "endpoint": {"port": 2379}}])
    assert status_agents.dialled(wanted, "192.0.2.2/32379\n") == {
        "b": {"reachable": True, "reason": ""},
        "c": {"reachable": False, "reason": "no connection to an endpoint without address within 3 s"},
    }
