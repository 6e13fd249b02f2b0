# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The clusters of the shared fleet as one mesh: joining, leaving, faults, a new CA. Traffic is the judge."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, issue

import host_state
from fleet import Fleet, pod, run, wait_until
from observations import mesh, well

pytestmark = pytest.mark.e2e
NETWORK = "playbooks/network.yml"
SYSTEM = ("-n", "kube-system")


def entries(fleet: Fleet, cluster: str, secret: str = "cilium-kvstoremesh") -> dict[str, str]:
    """The texts of a Secret by key."""
    listed = json.loads(fleet.kubectl(cluster, *SYSTEM, "get", "secret", secret, "-o", "json"))
    return {key: base64.b64decode(value).decode() for key, value in (listed.get("data") or {}).items()}


def patch(fleet: Fleet, cluster: str, secret: str, data: dict[str, str | None]) -> None:
    """Change keys of a Secret as a person would; None removes one."""
    coded = {key: text if text is None else base64.b64encode(text.encode()).decode() for key, text in data.items()}
    fleet.kubectl(cluster, *SYSTEM, "patch", "secret", secret, "--type=merge", "-p", json.dumps({"data": coded}))


def silent(fleet: Fleet, since: float, *servers: str) -> bool:
    """Whether no audit log has a mutating request since a moment; prints those it has."""
    found = [line for server in servers for line in fleet.mutating_requests(server, since)]
    print("\n".join(found))
    return not found


@pytest.fixture(scope="module")
def caller(fleet: Fleet, undisturbed: dict) -> Iterator[Fleet]:
    """A client in north and a server in south behind a global Service `far`, which north has without pods."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "far", "annotations": {"service.cilium.io/global": "true"}},
        "spec": {"selector": {"app": "far"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    fleet.kubectl("north", "apply", "-f", "-", manifests=[service, pod("near", "north-1", "sleep")])
    fleet.kubectl("south", "apply", "-f", "-", manifests=[service, pod("far", "south-1", "serve", ":8080", "south")])
    fleet.kubectl("north", "wait", "--for=condition=Ready", "pod/near", "--timeout=90s")
    fleet.kubectl("south", "wait", "--for=condition=Ready", "pod/far", "--timeout=90s")
    wait_until("south answers north", lambda: answers(fleet), 90)
    yield fleet
    fleet.kubectl("north", "delete", "service/far", "pod/near", "--wait=true", check=False)
    fleet.kubectl("south", "delete", "service/far", "pod/far", "--wait=true", check=False)


def answers(fleet: Fleet) -> bool:
    """Whether the server in south answers the client in north, once."""
    url = "http://far.default.svc.cluster.local/"
    return "south" in fleet.kubectl("north", "exec", "near", "--", "/testserver", "get", url, check=False)


def test_a_peer_that_cannot_be_reached_gets_no_entry(fleet: Fleet, undisturbed: dict) -> None:
    fleet.add_cluster("west", 3, 14)
    made = fleet.must("site.yml", "-e", '{"clustermesh_absent": ["west"]}')
    assert (made.changed["north"], made.changed["south"]) == (0, 0), made.tail()
    fleet.inventory["clusters"]["hosts"]["west"]["clustermesh_endpoint"] = {"ips": [f"{fleet.network}.99"]}
    fleet.write()
    refused = fleet.play(NETWORK, "-e", "clustermesh_wait_timeout=5")
    del fleet.inventory["clusters"]["hosts"]["west"]["clustermesh_endpoint"]
    fleet.write()
    assert refused.code != 0
    for cluster in ("north", "south"):
        words = f"'{cluster}' cannot reach clustermesh-apiserver of 'west': no connection to {fleet.network}.99:2379"
        assert f"UNREACHABLE: {cluster}, west: {words} within 3 s" in refused.output, refused.tail()
    # That west may log in is written before Cilium is installed.
    assert (refused.changed["north"], refused.changed["south"], refused.changed["west"]) == (1, 1, 0), refused.tail()
    assert [set(entries(fleet, cluster)) for cluster in ("north", "south")] == [{"south"}, {"north"}]


def test_a_limited_run_writes_one_cluster_and_names_the_others(fleet: Fleet, undisturbed: dict) -> None:
    limited = fleet.must(NETWORK, "--limit", "north")
    assert limited.changed == {"north": 1}, limited.tail()
    assert "south: its entry for west is outdated: run without --limit, or include it" in limited.output
    assert "west: its entry for north, south is outdated: run without --limit, or include it" in limited.output
    assert [set(entries(fleet, cluster)) for cluster in ("north", "south")] == [{"south", "west"}, {"north"}]


def test_a_third_cluster_joins_with_small_writes(fleet: Fleet, undisturbed: dict) -> None:
    joined = fleet.must(NETWORK)
    assert joined.changed == {"north": 0, "south": 1, "west": 1}, joined.tail()
    status = well(fleet)
    assert {name: sorted(own["peers"]) for name, own in status["clusters"].items()} == {
        "north": ["south", "west"],
        "south": ["north", "west"],
        "west": ["north", "south"],
    }
    since = time.time()
    assert fleet.must().changes == 0
    assert silent(fleet, since, "north-1", "south-1", "west-1")


def test_a_deleted_entry_and_an_expired_certificate_are_reported_and_repaired(fleet: Fleet, undisturbed: dict) -> None:
    before = entries(fleet, "north")
    patch(fleet, "north", "cilium-kvstoremesh", {"south": None, "foreign": "not ours"})
    authority = Pair((fleet.state / "mesh/ca.crt").read_text(), (fleet.state / "mesh/ca.key").read_text())
    last_year = datetime.now(UTC) - timedelta(days=366)
    ended = issue("remote-south", [], ["clientAuth"], authority, 365, last_year)
    patch(fleet, "south", "clustermesh-apiserver-remote-cert", {"tls.crt": ended.cert, "tls.key": ended.key})
    code, status = mesh(fleet)
    assert code != 0 and status["clusters"]["south"]["certificate_days"] < 0
    assert "its remote certificate expired" in status["clusters"]["south"]["peers"]["north"]["reason"]
    planned = fleet.must(NETWORK, "--check", "--diff")
    assert planned.changes == 2, planned.output
    assert "https://south.mesh.cilium.io" in planned.output
    assert "remote-south" in planned.output
    for secret in ("PRIVATE KEY", "BEGIN CERTIFICATE", "LS0tLS"):
        assert secret not in planned.output
    repaired = fleet.must(NETWORK, "--diff")
    assert repaired.changes == 2, repaired.output
    assert "PRIVATE KEY" not in repaired.output
    assert entries(fleet, "north") == {**before, "foreign": "not ours"}
    patch(fleet, "north", "cilium-kvstoremesh", {"foreign": None})
    assert fleet.must(NETWORK).changes == 0


def test_a_key_of_another_manager_is_refused_with_its_name(fleet: Fleet, undisturbed: dict) -> None:
    before = entries(fleet, "north")
    patch(fleet, "north", "cilium-kvstoremesh", {"south": before["south"].replace("south.mesh", "elsewhere.mesh")})
    refused = fleet.play(NETWORK)
    assert refused.code != 0 and refused.changes == 0
    assert "key 'south' of Secret cilium-kvstoremesh is managed by kubectl-patch" in refused.output, refused.tail()
    patch(fleet, "north", "cilium-kvstoremesh", {"south": None})
    assert fleet.must(NETWORK).changes == 1
    assert entries(fleet, "north") == before


def test_helm_by_hand_leaves_the_peers(fleet: Fleet, undisturbed: dict) -> None:
    before = entries(fleet, "north"), entries(fleet, "north", "cilium-clustermesh")
    fleet.helm(
        "north", "upgrade", "cilium", str(fleet.artifact("files", "cilium_chart", "cilium")), *SYSTEM, "--reuse-values"
    )
    assert (entries(fleet, "north"), entries(fleet, "north", "cilium-clustermesh")) == before
    assert fleet.must(NETWORK).changes == 0


def test_swapped_kubeconfigs_are_refused(fleet: Fleet, undisturbed: dict) -> None:
    north, south = (fleet.state / "kubeconfigs" / name for name in ("north", "south"))
    texts = north.read_text(), south.read_text()
    south.write_text(texts[0])
    north.write_text(texts[1])
    try:
        refused = fleet.play(NETWORK)
    finally:
        north.write_text(texts[0])
        south.write_text(texts[1])
    assert refused.code != 0 and refused.changes == 0, refused.tail()
    for path in (north, south):
        words = f"{path.name}: kubeconfig {path} points to the cluster with UID"
        assert words in " ".join(refused.output.split()), refused.tail()


def test_a_killed_clustermesh_apiserver_fails_no_request(caller: Fleet) -> None:
    for cluster in ("north", "south"):
        label = "k8s-app=clustermesh-apiserver"
        caller.kubectl(cluster, *SYSTEM, "delete", "pod", "-l", label, "--wait=false", "--grace-period=0", "--force")
    deadline, failed, calls = time.monotonic() + 25, 0, 0
    while time.monotonic() < deadline:
        calls += 1
        failed += not answers(caller)
    assert failed == 0, f"{failed} of {calls}"
    well(caller)


def test_a_cut_link_is_reported_although_cilium_reports_ready(caller: Fleet) -> None:
    well(caller)
    # Isolated ports of a bridge reach the host and all others, not each other.
    ports = [f"vb-{caller.name}-{node}" for node in ("north-1", "south-1")]
    try:
        for port in ports:
            run(["bridge", "link", "set", "dev", port, "isolated", "on"], 10)
        assert not answers(caller)
        agent = ("exec", "ds/cilium", "-c", "cilium-agent", "--", "cilium-dbg", "status", "-o", "json")
        seen = json.loads(caller.kubectl("south", *SYSTEM, *agent))
        assert [peer["ready"] for peer in seen["cluster-mesh"]["clusters"]] == [True, True]
        code, status = mesh(caller)
        assert code != 0 and status["ok"] is False
        north = status["clusters"]["south"]["peers"]["north"]
        assert north["ready"] is False
        assert "node north/north-1 (10.78.0.11) does not answer within 3 s" in north["reason"]
        assert status["clusters"]["south"]["peers"]["west"]["ready"] is True
    finally:
        for port in ports:
            run(["bridge", "link", "set", "dev", port, "isolated", "off"], 10)
    wait_until("south answers north again", lambda: answers(caller), 60)
    well(caller)


def test_a_new_ca_costs_no_request(caller: Fleet) -> None:
    before = json.loads((caller.state / "mesh/state.json").read_text())
    url = "http://far.default.svc.cluster.local/"
    caller.kubectl("north", "apply", "-f", "-", manifests=[pod("caller", "north-1", "poll", url, "100ms")])
    try:
        caller.kubectl("north", "wait", "--for=condition=Ready", "pod/caller", "--timeout=60s")
        caller.must("playbooks/rotate_mesh_ca.yml", timeout=800)
        lines = caller.kubectl("north", "logs", "caller").splitlines()
    finally:
        caller.kubectl("north", "delete", "pod/caller", "--wait=true")
    assert json.loads((caller.state / "mesh/state.json").read_text()) != before
    failed = [line for line in lines if line.startswith("failed")]
    made = max(int(line.split()[1]) for line in lines if line.startswith("made"))
    print(f"{len(failed)} of {made} calls failed", *failed, sep="\n")
    assert made > 300 and len(failed) * 1000 <= made
    well(caller)
    assert caller.must(NETWORK).changes == 0


# After the tests that count requests: for a while kubelet may still mount the Secret as it was before its server died.
def test_a_run_recovers_from_an_api_server_that_dies(fleet: Fleet, undisturbed: dict) -> None:
    patch(fleet, "north", "cilium-clustermesh", {"south": None})
    patch(fleet, "south", "cilium-clustermesh", {"north": None})
    records = r"network \| clustermesh \| Records"
    run = fleet.disturbed_in(records, 1, lambda: fleet.ssh("south-1", "pkill -9 -x kube-apiserver"), NETWORK)
    print(f"with a dead API server: exit code {run.code}, changes {run.changed}")
    wait_until("south answers again", lambda: fleet.kubectl("south", "get", "nodes", check=False) != "", 120)
    fleet.must(NETWORK)
    assert set(entries(fleet, "north", "cilium-clustermesh")) == {"south", "west"}
    assert set(entries(fleet, "south", "cilium-clustermesh")) == {"north", "west"}
    assert fleet.must(NETWORK).changes == 0
    well(fleet)


def test_a_cluster_leaves_and_joins_again_within_the_drain(fleet: Fleet, undisturbed: dict) -> None:
    left = fleet.must(NETWORK, "-e", '{"clustermesh_absent": ["west"]}')
    assert (left.changed["north"], left.changed["south"], left.changed["west"]) == (1, 1, 1), left.tail()
    for cluster, rest in (("north", {"south"}), ("south", {"north"}), ("west", set())):
        assert set(entries(fleet, cluster)) == set(entries(fleet, cluster, "cilium-clustermesh")) == rest
    again = fleet.must(NETWORK, timeout=500)
    assert "joins again during the drain grace period of KVStoreMesh" in again.output, again.tail()
    well(fleet)


def test_a_dead_cluster_is_removed_without_it(fleet: Fleet, undisturbed: dict) -> None:
    host_state.kill_machine(fleet.name, "west-1")
    limited = ("--limit", "north,south", "-e", '{"clustermesh_absent": ["west"]}')
    assert fleet.must(NETWORK, *limited).changes == 2
    assert set(entries(fleet, "north")) == {"south"} and set(entries(fleet, "south")) == {"north"}
    fleet.remove_cluster("west")
    # The keys of its machine go from the controller.
    assert fleet.must().changes == 1
    assert fleet.must().changes == 0
    well(fleet)
