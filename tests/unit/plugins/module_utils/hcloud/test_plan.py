# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The plan: for any inventory and any project, nothing is lost that was not named."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.hcloud.plan import named, of_fleet, plan, typed
from ansible_collections.opendata.platform.plugins.module_utils.hcloud.resources import labels
from hypothesis import given
from hypothesis import strategies as st

NAMES = [f"hz-{number}" for number in range(5)]


def wanted(name: str, **more: Any) -> dict[str, Any]:
    base = {"server_type": "cx33", "image": "debian-13", "location": "fsn1"}
    mine = {"address": f"10.78.0.1{name[-1]}", "network": "opendata-prd"}
    return {**base, **mine, "labels": labels("prd", cluster="hz", role="control_plane", node=name), **more}


def server(name: str, /, **more: Any) -> dict[str, Any]:
    """What hetzner.hcloud.server_info says of a machine that is as wanted."""
    want = wanted(name)
    return {
        "id": 100 + int(name[-1]),
        "name": name,
        "created": "2026-11-01T12:00:00+00:00",
        "ipv4_address": f"203.0.113.{name[-1]}",
        "private_networks": ["opendata-prd"],
        "private_networks_info": [{"name": "opendata-prd", "ip": want["address"]}],
        "status": "running",
        **{key: want[key] for key in ("server_type", "image", "location", "labels")},
        **more,
    }


def volume(name: str, machine: str | None) -> dict[str, Any]:
    return {"name": name, "size": 50, "server": machine, "labels": {}}


kinds = st.fixed_dictionaries(
    {
        "server_type": st.sampled_from(["cx23", "cx33"]),
        "image": st.sampled_from(["debian-12", "debian-13"]),
        "location": st.sampled_from(["fsn1", "nbg1"]),
    }
)
inventories = st.dictionaries(st.sampled_from(NAMES), kinds)
projects = st.dictionaries(st.sampled_from(NAMES), st.tuples(kinds, st.sampled_from(["running", "off"])))
words = st.lists(st.sampled_from([*NAMES, "else"])).map(",".join)


def planned(want: Any, there: Any, delete: str) -> dict[str, Any]:
    return plan(
        {name: wanted(name, **kind) for name, kind in want.items()},
        list(want),
        [server(name, **kind, status=status) for name, (kind, status) in there.items()],
        [],
        delete,
    )


@given(inventories, projects, words)
def test_every_machine_is_in_exactly_one_part_of_the_plan(want: Any, there: Any, delete: str) -> None:
    found = planned(want, there, delete)
    deleted = {one["name"] for one in found["delete"]}
    parts = [*found["make"], *found["change"], *found["keep"]]
    assert sorted(parts) == sorted(want)
    assert deleted <= set(there)
    assert set(there) - set(want) <= deleted
    assert set(found["ids"]) == set(there) - deleted
    assert set(found["make"]) == (set(want) - set(there)) | (deleted & set(want))


@given(inventories, projects, words)
def test_nothing_goes_whose_name_was_not_typed(want: Any, there: Any, delete: str) -> None:
    found = planned(want, there, delete)
    missing = {one["name"] for one in found["delete"]} - set(typed(delete))
    assert ("would be deleted" in found["refused"]) == bool(missing)
    for name in missing:
        assert f"{name}: machine_hcloud_delete: the server would be deleted, because " in found["refused"]


@given(projects)
def test_what_is_as_wanted_is_kept_without_a_word(there: Any) -> None:
    there = {name: (kind, "running") for name, (kind, _status) in there.items()}
    found = planned({name: kind for name, (kind, _status) in there.items()}, there, "")
    assert found["keep"] == sorted(there)
    assert (found["make"], found["change"], found["delete"], found["lines"], found["refused"]) == ([], {}, [], [], "")


def test_the_refusal_says_what_would_be_lost_and_how_to_go_on() -> None:
    want = {"hz-1": wanted("hz-1", image="debian-14")}
    there = [server("hz-1"), server("hz-2")]
    found = plan(want, ["hz-1"], there, [volume("data", "hz-2"), volume("other", None)], "")
    step = "Restore the inventory, or confirm the deletion: -e machine_hcloud_delete=hz-1,hz-2"
    assert found["refused"].splitlines() == [
        "hz-1: machine_hcloud_delete: the server would be deleted, because image debian-13 -> debian-14 needs a new "
        "server; lost: its disk and its etcd member (cx33, debian-13 at fsn1, 203.0.113.1, created 2026-11-01). "
        f"{step}",
        "hz-2: machine_hcloud_delete: the server would be deleted, because it was removed from the inventory; "
        "lost: its "
        "disk and its etcd member (cx33, debian-13 at fsn1, 203.0.113.2, created 2026-11-01); kept, detached: volume "
        f"data (50 GB). {step}",
    ]
    assert plan(want, ["hz-1"], there, [], "hz-2, hz-1")["refused"] == ""


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"location": "nbg1"}, "location nbg1 -> fsn1 needs a new server"),
        ({"private_networks_info": [{"name": "opendata-prd", "ip": "10.78.0.99"}]}, "address 10.78.0.99 -> 10.78.0.11"),
    ],
)
def test_what_cannot_be_changed_needs_a_new_server(change: dict[str, Any], line: str) -> None:
    found = plan({"hz-1": wanted("hz-1")}, ["hz-1"], [server("hz-1", **change)], [], "")
    assert line in found["refused"]


def test_a_running_machine_keeps_its_type_until_it_is_off() -> None:
    want = {"hz-1": wanted("hz-1", server_type="cx43")}
    assert plan(want, ["hz-1"], [server("hz-1")], [], "")["refused"] == (
        "hz-1: machine_hcloud_server_type: cx33 -> cx43 requires the server to be off. "
        "Drain the node, shut it down, and run again: the run changes the type and starts it."
    )
    off = plan(want, ["hz-1"], [server("hz-1", status="off")], [], "")
    assert (off["refused"], off["change"]) == ("", {"hz-1": ["server type cx33 -> cx43", "started"]})


def test_a_machine_of_a_snapshot_or_of_an_image_that_is_gone_is_kept() -> None:
    want = {"hz-1": wanted("hz-1", image="4711")}
    assert plan(want, ["hz-1"], [server("hz-1", image=None)], [], "")["keep"] == ["hz-1"]
    assert plan({"hz-1": wanted("hz-1")}, ["hz-1"], [server("hz-1", image=None)], [], "")["keep"] == ["hz-1"]


def test_a_machine_outside_of_the_limit_is_no_surplus() -> None:
    found = plan({}, ["hz-1"], [server("hz-1")], [], "")
    assert (found["delete"], found["lines"]) == ([], [])


def test_a_machine_is_found_by_its_label() -> None:
    renamed = server("hz-1", name="renamed")
    found = plan({"hz-1": wanted("hz-1")}, ["hz-1"], [renamed], [], "")
    assert (found["make"], found["change"]) == ([], {"hz-1": ["name renamed -> hz-1"]})
    assert named([renamed], "hz-1") == [renamed]


def test_volumes_of_a_fleet_are_those_on_its_machines_or_with_its_labels() -> None:
    mine = {**volume("labelled", None), "labels": labels("prd", more="x")}
    theirs = {**volume("theirs", None), "labels": labels("other")}
    volumes = [volume("data", "hz-1"), mine, theirs, volume("free", None)]
    assert of_fleet(volumes, [server("hz-1")], labels("prd")) == volumes[:2]
