# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which writes connect a cluster with its peers, and in which order; stand_in_for_api does what a server would."""

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import plan as peers
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.entries import Peer
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.plan import Live, Plan, Wish
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.steps import Step, contents, undo
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MANAGER = "cilium-clustermesh-ansible"
AGENT, KVSTORE, USERS = "cilium-clustermesh", "cilium-kvstoremesh", "clustermesh-remote-users"


def peer(name: str, ip: str = "192.0.2.1") -> Peer:
    return Peer(name, (f"https://{name}.mesh.cilium.io:2379",), f"{name}.mesh.cilium.io", (ip,))


def wish(*names: str, **more: Any) -> Wish:
    return Wish([peer(name) for name in names], **{"gone": frozenset(), "namespace": "kube-system", **more})


def deployment() -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "kvstoremesh"}]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "clustermesh-apiserver"}, "spec": spec}


def cluster(version: str = "1.20.2", **more: Any) -> Live:
    return Live("north", version, True, {"clustermesh-apiserver": deployment()})._replace(**more)


def data_fields(body: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if body.get("data"):
        fields["f:data"] = {f"f:{key}": {} for key in body["data"]}
    return fields


def stand_in_for_api(live: Live, step: Step) -> Live:
    """The cluster after one write of keys, as a real API server would keep owners and values."""
    item = copy.deepcopy(live.objects.get(step.name) or {"metadata": {"managedFields": []}})
    body = step.body
    managed = item["metadata"].setdefault("managedFields", [])
    if step.merge:
        item["data"] = {key: value for key, value in item["data"].items() if key not in body["data"]}
        for entry in managed:
            for key in body["data"]:
                entry["fieldsV1"].get("f:data", {}).pop(f"f:{key}", None)
    else:
        ours = next((each for each in managed if each["manager"] == MANAGER), None)
        before = set((ours or {"fieldsV1": {}})["fieldsV1"].get("f:data", {}))
        managed[:] = [each for each in managed if each is not ours]
        kept = {key for each in managed for key in each["fieldsV1"].get("f:data", {})}
        lost = {key.removeprefix("f:") for key in before - kept - {f"f:{key}" for key in body.get("data", {})}}
        data = {key: value for key, value in (item.get("data") or {}).items() if key not in lost}
        annotations = body["metadata"].get("annotations", {})
        item |= {"apiVersion": body["apiVersion"], "kind": body["kind"], "data": data | body.get("data", {})}
        item["metadata"] |= {"name": step.name, "annotations": annotations}
        entry = {"manager": MANAGER, "operation": "Apply", "apiVersion": "v1", "fieldsV1": data_fields(body)}
        managed.append(entry)
    return live._replace(objects={**live.objects, step.name: item})


def written_by(manager: str, live: Live, **keys: bytes) -> Live:
    """The cluster with keys in Secret cilium-clustermesh that somebody else owns."""
    item = copy.deepcopy(live.objects.get(AGENT) or {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": AGENT}})
    data = {key: base64.b64encode(value).decode() for key, value in keys.items()}
    item["data"] = item.get("data", {}) | data
    entry = {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": data_fields({"data": keys})}
    item["metadata"].setdefault("managedFields", []).append(entry)
    return live._replace(objects={**live.objects, AGENT: item})


def after(live: Live, wanted: Wish, now: datetime = NOW, stop: int | None = None) -> Live:
    """The cluster after a run, or after its first `stop` writes."""
    for step in [step for step in peers.plan(live, wanted, now).steps if step.kind != "Deployment"][:stop]:
        live = stand_in_for_api(live, step)
    return live


def order(plan: Plan) -> list[tuple[str, list[str]]]:
    return [(step.name, sorted(step.body.get("data", {}))) for step in plan.steps]


def actions(plan: Plan) -> dict[str, str]:
    return {name: each["action"] for name, each in plan.actions.items()}


def state(live: Live) -> dict[str, dict[str, bytes]]:
    return {name: contents(live.objects.get(name)) for name in (AGENT, KVSTORE, USERS)}


def test_peers_are_added_where_they_are_read_last() -> None:
    plan = peers.plan(cluster(), wish("south", "west"), NOW)
    assert order(plan) == [(USERS, ["users.yaml"]), (KVSTORE, ["south", "west"]), (AGENT, ["south", "west"])]
    assert actions(plan) == {"south": "created", "west": "created"}
    assert (plan.refusals, plan.warnings, plan.restarts) == ([], [], False)


def test_peers_are_removed_where_they_are_read_first() -> None:
    plan = peers.plan(after(cluster(), wish("south", "west")), wish("south", purge=True), NOW)
    assert order(plan) == [(AGENT, ["south"]), (KVSTORE, ["south"]), (USERS, ["users.yaml"])]
    assert actions(plan) == {"south": "unchanged", "west": "removed"}
    assert plan.warnings == ["drain grace period of KVStoreMesh for west: do not add it again within 180 s"]
    notes = plan.steps[1].body["metadata"]["annotations"]
    assert notes == {"cilium-clustermesh-ansible/removed-at": '{"west": "2026-11-24T06:00:00Z"}'}


def test_a_run_that_removes_and_adds_does_both_in_order() -> None:
    plan = peers.plan(after(cluster(), wish("west")), wish("south", purge=True), NOW)
    assert [name for name, _keys in order(plan)] == [AGENT, KVSTORE, USERS, KVSTORE, AGENT]
    assert state(after(after(cluster(), wish("west")), wish("south", purge=True))) == state(
        after(cluster(), wish("south"))
    )


def test_without_kvstoremesh_the_agents_dial() -> None:
    plan = peers.plan(cluster(kvstoremesh=False), wish("south"), NOW)
    assert order(plan) == [(USERS, ["users.yaml"]), (AGENT, ["south"])]


def test_a_peer_that_is_not_named_stays() -> None:
    live = after(cluster(), wish("south"))
    plan = peers.plan(live, wish("west"), NOW)
    assert actions(plan) == {"west": "created"}
    assert order(plan)[1:] == [(KVSTORE, ["south", "west"]), (AGENT, ["south", "west"])]


def test_a_gone_peer_is_removed_by_name() -> None:
    plan = peers.plan(after(cluster(), wish("south", "west")), wish(gone=frozenset({"west", "east"})), NOW)
    assert actions(plan) == {"east": "unchanged", "west": "removed"}


def test_an_emptied_secret_keeps_no_key() -> None:
    live = after(after(cluster(), wish("south")), wish(gone=frozenset({"south"})))
    assert state(live) == {AGENT: {}, KVSTORE: {}, USERS: {"users.yaml": b"users:\n"}}


def test_own_entry_is_never_purged() -> None:
    live = after(cluster(name="other"), wish("north", "south"))._replace(name="north")
    assert actions(peers.plan(live, wish("south", purge=True), NOW)) == {"south": "unchanged"}


def test_purge_of_everything_is_refused() -> None:
    live = after(cluster(), wish("south"))
    words = "purge with an empty peers list would disconnect everything; set allow_empty=true"
    assert peers.plan(live, wish(purge=True), NOW).refusals == [words]
    assert peers.plan(live, wish(purge=True, allow_empty=True), NOW).refusals == []
    assert peers.plan(cluster(), wish(purge=True), NOW).refusals == []


def test_purge_leaves_what_is_no_peer() -> None:
    live = written_by("me", cluster(), note=b"nothing dials here")
    assert peers.plan(live, wish("south", purge=True), NOW).refusals == []
    assert state(after(live, wish("south", purge=True)))[AGENT]["note"] == b"nothing dials here"


def test_an_entry_of_another_one_with_equal_meaning_is_unchanged() -> None:
    written = state(after(cluster(), wish("south")))
    live = after(written_by("helm", cluster(), south=written[AGENT]["south"] + b"\n"), wish("south"))
    assert state(live)[AGENT]["south"].endswith(b"\n")
    plan = peers.plan(live, wish("south"), NOW)
    assert (plan.steps, plan.refusals, actions(plan)) == ([], [], {"south": "unchanged"})


def test_another_ones_key_is_refused_unless_forced() -> None:
    live = written_by("helm", cluster(), south=b"endpoints: [x]")
    words = (
        "key 'south' of Secret cilium-clustermesh is managed by helm; "
        "set clustermesh.config.enabled=false or force_conflicts=true"
    )
    assert peers.plan(live, wish("south"), NOW).refusals == [words]
    assert peers.plan(live, wish(gone=frozenset({"south"})), NOW).refusals == [words]
    assert peers.plan(live, wish("west", purge=True), NOW).refusals == [words]
    assert peers.plan(live, wish("west"), NOW).refusals == []
    assert peers.plan(live, wish("south", force=True), NOW).refusals == []
    # To the server even our own name is another manager when it did not apply.
    updated = written_by(MANAGER, cluster(), south=b"endpoints: [x]")
    assert peers.plan(updated, wish("south"), NOW).refusals == [words.replace("helm", MANAGER)]


def test_another_ones_key_is_removed_by_force() -> None:
    live = written_by("helm", cluster(), south=b"endpoints: [x]", west=b"endpoints: [y]")
    plan = peers.plan(live, wish(gone=frozenset({"south"}), force=True), NOW)
    assert [(step.name, step.merge) for step in plan.steps] == [(AGENT, False), (AGENT, True)]
    assert state(after(live, wish(gone=frozenset({"south"}), force=True)))[AGENT] == {"west": b"endpoints: [y]"}
    before = live.objects[AGENT]
    for step in plan.steps:
        live = stand_in_for_api(live, step)
    assert state(stand_in_for_api(live, Step(undo(plan.steps[1], before, MANAGER))))[AGENT] == contents(before)


def test_users_of_others_stay() -> None:
    live = after(cluster(), wish("south"))
    users = copy.deepcopy(live.objects[USERS])
    users["data"]["users.yaml"] += "- name: auditor\n  role: read\n"
    live = live._replace(objects={**live.objects, USERS: users})
    assert peers.plan(live, wish("south"), NOW).steps == []
    text = state(after(live, wish("west", purge=True)))[USERS]["users.yaml"].decode()
    assert text == "users:\n- name: auditor\n  role: read\n- name: remote-west\n  role: remote\n"


def test_a_new_fingerprint_renews_the_entries() -> None:
    live = after(cluster(), wish("south"))
    plan = peers.plan(live, wish("south", fingerprint="ab"), NOW)
    assert (order(plan), actions(plan)) == ([(KVSTORE, ["south"]), (AGENT, ["south"])], {"south": "updated"})
    assert plan.diff[0]["after"].startswith("south:\n  ca: ab\n  endpoint: https://south.mesh.cilium.io:2379\n")


def test_the_diff_shows_entries_and_only_those_that_change() -> None:
    live = after(cluster(), wish("south", "west"))
    plan = peers.plan(live, wish("south", purge=True), NOW)
    assert [each["before_header"] for each in plan.diff] == [
        f"ConfigMap {USERS}",
        f"Secret {KVSTORE}",
        f"Secret {AGENT}",
    ]
    assert plan.diff[1]["before"].startswith("west:\n  endpoint: https://west.mesh.cilium.io:2379\n")
    assert plan.diff[1]["after"] == "" and "south" not in plan.diff[1]["before"]


@pytest.mark.parametrize(("seconds", "left"), [(-60, 180), (0, 180), (60, 120), (179, 1), (180, 0), (9999, 0)])
def test_joining_again_while_it_is_drained_is_warned_of(seconds: int, left: int) -> None:
    live = after(after(cluster(), wish("south", "west")), wish("south", purge=True))
    plan = peers.plan(live, wish("south", "west"), NOW + timedelta(seconds=seconds))
    words = f"peer 'west' joins again during the drain grace period of KVStoreMesh: it may take {left} s longer"
    assert plan.warnings == ([words] if left else [])
    joined = after(live, wish("south", "west"), NOW + timedelta(seconds=seconds))
    assert joined.objects[KVSTORE]["metadata"]["annotations"] == {}


def test_a_mark_that_is_over_costs_no_write() -> None:
    live = after(after(cluster(), wish("south", "west")), wish("south", purge=True))
    assert peers.plan(live, wish("south", purge=True), NOW + timedelta(days=1)).steps == []
    live = after(live, wish("south", "east"), NOW + timedelta(days=1))
    assert live.objects[KVSTORE]["metadata"]["annotations"] == {}


def test_a_mark_of_a_peer_that_others_brought_back_is_not_warned_of() -> None:
    live = after(cluster(), wish("south"))
    mark = {"cilium-clustermesh-ansible/removed-at": '{"south": "2026-11-24T06:00:00Z"}'}
    live.objects[KVSTORE]["metadata"]["annotations"] = mark
    assert peers.plan(live, wish("south", "west"), NOW).warnings == []


@pytest.mark.parametrize("text", ["", "x", "[]", '{"west": 1}', '{"west": "yesterday"}'])
def test_a_mark_that_somebody_spoilt_is_none(text: str) -> None:
    live = after(after(cluster(), wish("south", "west")), wish("south", purge=True))
    live.objects[KVSTORE]["metadata"]["annotations"] = {"cilium-clustermesh-ansible/removed-at": text}
    assert peers.plan(live, wish("west"), NOW).warnings == []


NAMES = st.frozensets(st.sampled_from(["north", "south", "west", "east"]))


@settings(deadline=None)  # the machine may be busy
@given(NAMES, NAMES, st.booleans(), st.integers(0, 6))
def test_a_killed_run_is_healed_by_the_next(
    first: frozenset[str], then: frozenset[str], purge: bool, stop: int
) -> None:
    wanted = wish(*sorted(then - {"north"}), purge=purge, allow_empty=True)
    begun = after(cluster(), wish(*sorted(first - {"north"})))
    healed = after(after(begun, wanted, stop=stop), wanted)
    assert state(healed) == state(after(begun, wanted))
    assert peers.plan(healed, wanted, NOW).steps == []


@settings(deadline=None)  # the machine may be busy
@given(NAMES, NAMES, st.integers(1, 6))
def test_writes_undone_in_reverse_leave_what_was_there(first: frozenset[str], then: frozenset[str], stop: int) -> None:
    begun = after(after(cluster(), wish(*sorted({"south", "old", *first}))), wish(gone=frozenset({"old"})))
    live, done = begun, []
    for step in peers.plan(begun, wish(*sorted({"west", *then}), purge=True), NOW).steps[:stop]:
        done.append((step, live.objects[step.name]))
        live = stand_in_for_api(live, step)
    for step, before in reversed(done):
        live = stand_in_for_api(live, Step(undo(step, before, MANAGER)))
    assert state(live) == state(begun)
    assert live.objects[KVSTORE]["metadata"]["annotations"] == begun.objects[KVSTORE]["metadata"]["annotations"] != {}


@settings(deadline=None)  # the machine may be busy
@given(st.permutations(["south", "west", "east"]))
def test_the_order_of_the_list_does_not_matter(names: list[str]) -> None:
    asked = Wish(sorted(peer(name) for name in names), frozenset(), "kube-system")
    assert order(peers.plan(cluster(), asked, NOW)) == order(peers.plan(cluster(), wish("east", "south", "west"), NOW))


# hostAliases: what Cilium before 1.20 needs


def aliased(live: Live, manager: str, items: list[dict[str, Any]]) -> Live:
    """The cluster with hostAliases that a manager owns."""
    keys = {f"k:{json.dumps({'ip': item['ip']}, separators=(',', ':'))}": {".": {}} for item in items}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:hostAliases": keys}}}}
    made = deployment()
    made["spec"]["template"]["spec"]["hostAliases"] = items
    entry = {"manager": manager, "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}
    made["metadata"]["managedFields"] = [entry]
    return live._replace(objects={**live.objects, "clustermesh-apiserver": made})


def alias(ip: str, *names: str) -> dict[str, Any]:
    return {"ip": ip, "hostnames": [f"{name}.mesh.cilium.io" for name in names]}


def aliases_of(plan: Plan) -> Any:
    spec = plan.steps[-1].body.get("spec", {"template": {"spec": {}}})
    return plan.steps[-1].name, spec["template"]["spec"].get("hostAliases", [])


@pytest.mark.parametrize(("version", "restarts"), [("1.18.11", True), ("1.19.6", True), ("1.20.2", False)])
def test_aliases_come_last_and_only_before_1_20(version: str, restarts: bool) -> None:
    plan = peers.plan(cluster(version), wish("south", "west"), NOW)
    assert plan.restarts is restarts
    if restarts:
        assert aliases_of(plan) == ("clustermesh-apiserver", [alias("192.0.2.1", "south", "west")])


def test_aliases_that_are_there_restart_nothing() -> None:
    live = aliased(after(cluster("1.19.6"), wish("south")), MANAGER, [alias("192.0.2.1", "south")])
    assert peers.plan(live, wish("south"), NOW).steps == []
    live = aliased(live, "helm", [alias("192.0.2.1", "south")])
    assert peers.plan(live, wish("south"), NOW).steps == []


def test_aliases_of_unnamed_peers_stay_and_of_removed_ones_go() -> None:
    live = after(cluster("1.19.6"), wish("south", "west"))
    live = aliased(live, MANAGER, [alias("192.0.2.1", "south"), alias("192.0.2.9", "west")])
    moved = Wish([peer("south", "192.0.2.2")], frozenset(), "kube-system")
    plan = peers.plan(live, moved, NOW)
    assert aliases_of(plan)[1] == [alias("192.0.2.2", "south"), alias("192.0.2.9", "west")]
    assert actions(plan) == {"south": "updated"}
    plan = peers.plan(live, wish("south", purge=True), NOW)
    assert aliases_of(plan)[1] == [alias("192.0.2.1", "south")]
    forgotten = aliased(live, MANAGER, [alias("192.0.2.1", "south"), alias("192.0.2.9", "ghost")])
    assert aliases_of(peers.plan(forgotten, wish("south", purge=True), NOW))[1] == [alias("192.0.2.1", "south")]
    assert actions(peers.plan(forgotten, wish(gone=frozenset({"ghost"})), NOW)) == {"ghost": "removed"}
    plan = peers.plan(live, wish(gone=frozenset({"south", "west"})), NOW)
    assert aliases_of(plan) == ("clustermesh-apiserver", [])


def test_a_restart_that_is_not_allowed_is_refused_only_where_it_is_needed() -> None:
    words = (
        "peer 'south' with addresses in ips needs hostAliases on Cilium 1.19.6, which restarts clustermesh-apiserver; "
        "give address: (DNS name or IP in the server certificate) or allow_restart=true"
    )
    assert peers.plan(cluster("1.19.6"), wish("south", allow_restart=False), NOW).refusals == [words]
    live = aliased(after(cluster("1.19.6"), wish("south", "west")), MANAGER, [alias("192.0.2.1", "south", "west")])
    plan = peers.plan(live, wish("south", purge=True, allow_restart=False), NOW)
    assert (plan.refusals, plan.restarts, actions(plan)["west"]) == ([], False, "removed")


def test_aliases_of_others_are_refused_unless_forced() -> None:
    live = aliased(cluster("1.19.6"), "helm", [alias("192.0.2.1", "west")])
    words = (
        "key 'hostAliases 192.0.2.1' of Deployment clustermesh-apiserver is managed by helm; "
        "set clustermesh.config.enabled=false or force_conflicts=true"
    )
    assert peers.plan(live, wish("south"), NOW).refusals == [words]
    assert peers.plan(live, wish("south", force=True), NOW).refusals == []
    equal = aliased(cluster("1.19.6"), "helm", [alias("192.0.2.1", "south")])
    both = Wish([peer("south"), peer("west", "192.0.2.9")], frozenset(), "kube-system")
    assert peers.plan(equal, both, NOW).refusals == []


def test_agents_that_dial_themselves_cannot_be_given_aliases() -> None:
    words = (
        "peer 'south' with addresses in ips needs hostAliases of the agents on Cilium 1.19.6 without KVStoreMesh; "
        "give address: (DNS name or IP in the server certificate)"
    )
    assert peers.plan(cluster("1.19.6", kvstoremesh=False), wish("south"), NOW).refusals == [words]
    dialled = Wish([Peer("south", ("https://mesh.example.org:2379",))], frozenset(), "kube-system")
    assert peers.plan(cluster("1.19.6", kvstoremesh=False), dialled, NOW).refusals == []
