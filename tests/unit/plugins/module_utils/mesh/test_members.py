# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who is in the mesh, who left it, who has not heard of it yet."""

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.mesh import members

OURS, FOREIGN = "cilium-clustermesh-ansible", "helm"


def record(name: str, last: int, peers: dict[str, Any] | None = None) -> dict[str, Any]:
    endpoint = {"type": "NodePort", "ips": [f"192.0.2.{last}"], "address": "", "port": 32379}
    return {"name": name, "endpoint": endpoint, "peers": peers or {}}


def entry(name: str, last: int, owner: str = OURS) -> dict[str, Any]:
    return {"endpoints": [f"https://{name}.mesh.cilium.io:32379"], "ips": [f"192.0.2.{last}"], "managed_by": owner}


def test_records_are_those_of_members_that_answered() -> None:
    hostvars = {
        "south": {"__clustermesh_self": {"cluster": record("south", 2)}},
        "north": {"__clustermesh_self": {"cluster": record("north", 1)}},
        "left": {"__clustermesh_self": {"cluster": record("left", 9)}},
        "dead": {},
        "planned": {"__clustermesh_self": {"cluster": {}}},
    }
    others = {"results": [{"cluster": record("west", 3)}, {"failed": True, "msg": "does not answer"}]}
    found = members.records(["dead", "north", "planned", "south", "west"], hostvars, others)
    assert [each["name"] for each in found] == ["north", "south", "west"]


def test_a_record_holds_what_was_tried_of_it() -> None:
    reach = {"south": {"reachable": False, "reason": "no connection"}}
    tried = {"failed": True, "cluster": {"name": "north", "reach": reach}}
    own = {"__clustermesh_self": {"cluster": record("north", 1)}, "__clustermesh_reached": tried}
    skipped = {"__clustermesh_self": {"cluster": record("south", 2)}, "__clustermesh_reached": {"skipped": True}}
    north, south = members.records(["north", "south"], {"north": own, "south": skipped}, {})
    assert north["reach"] == reach and "reach" not in south


def test_new_peers_are_dialled_elsewhere_or_not_at_all() -> None:
    south, west = record("south", 2), record("west", 3)
    own = record("north", 1, {"south": entry("south", 2), "west": entry("west", 4)})
    assert members.new_peers(own, [own, south, west, new := record("new", 5)]) == [west, new]
    assert members.new_peers({}, [south]) == []


def test_what_is_ours_goes_with_its_cluster_and_what_is_foreign_stays() -> None:
    own = record(
        "north", 1, {"south": entry("south", 2), "old": entry("old", 8), "theirs": entry("theirs", 9, FOREIGN)}
    )
    assert members.removed_peers(own, "north", ["north", "south"], []) == [{"name": "old"}]


def test_a_cluster_that_is_silent_but_a_member_keeps_its_entry() -> None:
    own = record("north", 1, {"south": entry("south", 2)})
    assert members.removed_peers(own, "north", ["north", "south"], []) == []


def test_who_was_declared_absent_goes_whoever_wrote_it_and_forgets_all_that_is_ours() -> None:
    peers = {"south": entry("south", 2, FOREIGN), "west": entry("west", 3)}
    assert members.removed_peers(record("north", 1, peers), "north", ["north", "west"], ["south"]) == [
        {"name": "south"}
    ]
    peers = {"north": entry("north", 1), "west": entry("west", 3), "theirs": entry("theirs", 9, FOREIGN)}
    left = members.removed_peers(record("south", 2, peers), "south", ["north", "west"], ["south"])
    assert left == [{"name": "north"}, {"name": "west"}]


def test_who_needs_a_run_is_named() -> None:
    stale = record("west", 3, {"north": entry("north", 1), "south": entry("south", 7)})
    found = [record("north", 1), record("south", 2), stale]
    assert members.behind(found, ["west"]) == [
        "west: its entry for south is outdated: run without --limit, or include it"
    ]
    assert members.behind(found, []) == []
    stale["peers"]["south"] = entry("south", 2)
    assert members.behind(found, ["west"]) == []


def test_an_entry_by_address_is_compared_as_it_is_dialled() -> None:
    north = record("north", 1)
    north["endpoint"] = {"type": "override", "ips": [], "address": "mesh.example.org", "port": 2379}
    dialled = {"endpoints": ["https://mesh.example.org:2379"], "ips": [], "managed_by": OURS}
    assert members.behind([north, record("west", 3, {"north": dialled})], ["west"]) == []
    assert len(members.behind([north, record("west", 3, {"north": entry("north", 1)})], ["west"])) == 1
