# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The order of the phases of a rotation, and whom it refuses to cut off."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import rotation
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = "0" * 64, "1" * 64
STABLE = {"phase": "stable", "fingerprint": OLD, "fingerprints": [OLD]}
PREPARE = {"phase": "prepare", "fingerprint": OLD, "fingerprints": [OLD, NEW]}
SWITCH = {"phase": "switch", "fingerprint": NEW, "fingerprints": [OLD, NEW]}
FINISHED = {"phase": "stable", "fingerprint": NEW, "fingerprints": [NEW]}
SILENT = {"msg": "https://south does not answer."}


def answer(*trusted: str, server: str = OLD, remote: str = OLD) -> dict[str, Any]:
    leafs = {"server": {"issuer": server}, "remote": {"issuer": remote}}
    return {"cluster": {"name": "x", "tls": {"ca_fingerprints": sorted(trusted), "leafs": leafs}}}


def test_what_makes_a_rotation_impossible() -> None:
    assert rotation.refusals("finish", "", False, True, "/f/mesh") == []
    assert rotation.refusals("done", "north", False, False, "/f/mesh") == [
        "rotate_to: 'done' is no phase. Known: prepare, switch, finish",
        "--limit north: a phase must reach every cluster of the mesh: run without --limit",
        "/f/mesh has no CA yet. Create the fleet first: ./odp up INVENTORY",
    ]
    assert rotation.refusals("finish", "", True, False, "/f/mesh") == [
        "clustermesh_ca_cert: this CA is stored elsewhere, where it cannot be replaced. Copy it to /f/mesh as ca.crt "
        "and ca.key (mode 0600), unset clustermesh_ca_cert and clustermesh_ca_key, run again, "
        "then move the new ca.crt and ca.key to your own storage"
    ]


@pytest.mark.parametrize(
    ("authority", "to", "phases"),
    [
        (STABLE, "finish", ["prepare", "switch", "finish"]),
        (STABLE, "switch", ["prepare", "switch"]),
        (STABLE, "prepare", ["prepare"]),
        (PREPARE, "prepare", ["prepare"]),
        (PREPARE, "finish", ["prepare", "switch", "finish"]),
        (SWITCH, "finish", ["switch", "finish"]),
        (SWITCH, "switch", ["switch"]),
        (SWITCH, "prepare", ["prepare"]),
    ],
)
def test_a_run_begins_with_the_phase_where_an_earlier_one_stopped(
    authority: dict[str, Any], to: str, phases: list[str]
) -> None:
    answers = {"north": answer(OLD)}
    assert rotation.steps(answers, authority, to) == phases
    assert rotation.steps(answers, authority, to, check=True) == phases[:1]


def test_a_finish_that_did_not_reach_all_is_completed_before_the_next_rotation() -> None:
    done, late = answer(NEW, server=NEW, remote=NEW), answer(OLD, NEW, server=NEW, remote=NEW)
    assert rotation.steps({"north": done, "south": late}, FINISHED, "finish") == ["stable"]
    assert rotation.steps({"north": done, "south": answer(NEW, server=NEW)}, FINISHED, "finish") == ["stable"]
    assert rotation.steps({"north": done, "south": done}, FINISHED, "prepare") == ["prepare"]
    assert rotation.steps({"north": {"cluster": {}}}, STABLE, "finish")[0] == "prepare"


def test_what_follows_in_words() -> None:
    well = "The CA of the mesh is in phase prepare. What follows: prepare, switch."
    assert rotation.summary(["prepare", "switch"], "prepare") == well
    late = "An earlier run did not bring the new CA to all clusters: this run completes that and creates no other CA."
    assert rotation.summary(["stable"], "stable") == late


def test_who_did_not_answer_is_named_in_every_phase() -> None:
    answers = {"west": SILENT, "north": answer(OLD), "south": SILENT}
    words = (
        "it did not answer (https://south does not answer): repair it, or add it to clustermesh_absent "
        "if it no longer exists"
    )
    for authority, phase in ((STABLE, "prepare"), (PREPARE, "prepare"), (SWITCH, "switch"), (STABLE, "stable")):
        assert rotation.blockers(answers, authority, phase) == [f"south: {words}", f"west: {words}"]


def test_a_cluster_that_is_not_made_yet_is_no_obstacle_in_check_mode() -> None:
    assert rotation.blockers({"north": {"cluster": {}}}, STABLE, "prepare") == []


def test_the_new_ca_signs_only_when_all_trust_it() -> None:
    answers = {"north": answer(OLD, NEW), "south": answer(OLD)}
    words = "it does not trust CA 1111111111111111 yet: run again, which begins with the phase before"
    assert rotation.blockers(answers, PREPARE, "switch") == [f"south: {words}"]
    assert rotation.blockers(answers | {"south": answer(OLD, NEW)}, PREPARE, "switch") == []


def test_the_old_ca_goes_only_when_it_signed_nothing_any_more() -> None:
    new = answer(OLD, NEW, server=NEW, remote=NEW)
    answers = {"north": new, "south": answer(OLD, NEW, server=NEW)}
    words = "its certificates remote are not signed by the new CA yet: run again, which begins with the phase before"
    assert rotation.blockers(answers, SWITCH, "finish") == [f"south: {words}"]
    assert rotation.blockers({"north": new, "south": new}, SWITCH, "finish") == []


def test_a_cluster_of_the_mesh_that_the_run_did_not_ask() -> None:
    hostvars = {"north": {"__clustermesh_trust": answer(OLD)}, "south": {}}
    answers = rotation.asked(["north", "south"], hostvars)
    assert answers == {"north": answer(OLD), "south": {"msg": "it is not in this run"}}
    assert [each.partition(":")[0] for each in rotation.blockers(answers, STABLE, "prepare")] == ["south"]


states = st.sampled_from([STABLE, PREPARE, SWITCH])
issuers = st.sampled_from([OLD, NEW, ""])
answers_of_some = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.just(SILENT), st.builds(lambda one, two: answer(OLD, server=one, remote=two), issuers, issuers)),
)


@given(answers_of_some, states, st.sampled_from(rotation.PHASES))
def test_the_phases_are_in_order_and_end_where_they_are_to(
    answers: dict[str, Any], authority: dict[str, Any], to: str
) -> None:
    found = rotation.steps(answers, authority, to)
    assert found == ["stable"] or found == [each for each in rotation.PHASES if each in found]
    assert found == ["stable"] or found[-1] == to


@given(answers_of_some, st.sampled_from(rotation.PHASES))
def test_finish_is_refused_for_whoever_is_silent_or_holds_an_old_certificate(
    answers: dict[str, Any], phase: str
) -> None:
    found = {each.partition(":")[0] for each in rotation.blockers(answers, SWITCH, phase)}
    silent = {name for name, each in answers.items() if "cluster" not in each}
    assert silent <= found
    if phase == "finish":
        asked = {name: each["cluster"]["tls"]["leafs"].values() for name, each in answers.items() if "cluster" in each}
        assert found - silent == {name for name, leafs in asked.items() if any(leaf["issuer"] != NEW for leaf in leafs)}
