# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The CA of a mesh: its phases, its files, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import ca as authority
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates as certs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.ca import Authority
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, issue, make_authority
from hypothesis import given
from hypothesis import strategies as st

Run = Callable[..., dict[str, Any]]
NOW = datetime.now(UTC)
# Making keys is slow; every test takes from these.
OLD, NEW, STRANGER = (make_authority("Cilium CA", 3650, NOW) for _ in range(3))
LEAF = issue("x", (), ("clientAuth",), OLD, 1, NOW)
STATES = {
    "stable": Authority("stable", (OLD,)),
    "prepare": Authority("prepare", (OLD, NEW)),
    "switch": Authority("switch", (OLD, NEW)),
}


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What modules warn of; within the controller's process it is shown, and not in the result."""
    found: list[str] = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.warn", lambda _self, text: found.append(text))
    return found


def advance(state: str, phase: str) -> Authority:
    return authority.advance(STATES[state], phase, lambda: NEW, "/mesh")


@pytest.mark.parametrize(
    ("state", "phase", "after"),
    [
        ("stable", "stable", STATES["stable"]),
        ("stable", "prepare", STATES["prepare"]),
        ("stable", "finish", STATES["stable"]),
        ("prepare", "stable", STATES["prepare"]),
        ("prepare", "prepare", STATES["prepare"]),
        ("prepare", "switch", STATES["switch"]),
        ("switch", "stable", STATES["switch"]),
        ("switch", "prepare", STATES["prepare"]),
        ("switch", "switch", STATES["switch"]),
        ("switch", "finish", Authority("stable", (NEW,))),
    ],
)
def test_phases(state: str, phase: str, after: Authority) -> None:
    assert advance(state, phase) == after


def test_phases_out_of_order() -> None:
    with pytest.raises(ValueError, match=r"^phase 'switch' without 'prepare': no next CA in /mesh$"):
        advance("stable", "switch")
    with pytest.raises(ValueError, match=r"^phase 'finish' without 'switch': the old CA in /mesh still signs$"):
        advance("prepare", "finish")
    for phase in ("prepare", "switch", "finish"):
        words = f"^phase '{phase}' without a CA: nothing to replace in /mesh; begin with phase 'stable'$"
        with pytest.raises(ValueError, match=words):
            authority.advance(None, phase, lambda: NEW, "/mesh")


@given(st.lists(st.sampled_from(["stable", "prepare", "switch", "finish"])))
def test_no_sequence_ever_leaves_a_signer_that_was_not_trusted_one_step_before(phases: list[str]) -> None:
    fresh = iter([NEW, STRANGER] * len(phases))
    state = STATES["stable"]
    for phase in phases:
        before = state
        try:
            state = authority.advance(state, phase, lambda: next(fresh), "/mesh")
        except ValueError:
            continue
        assert state.signer in before.pairs, "every cluster knows the signer already"
        assert before.signer in state.pairs, "leafs of the signer before are still trusted"
        assert authority.advance(state, phase, lambda: STRANGER, "/mesh") == state, "a second run changes nothing"
        assert authority.load(authority.files(state), "/mesh") == state


@pytest.mark.parametrize("state", list(STATES))
def test_files(state: str) -> None:
    found = authority.files(STATES[state])
    signer = NEW if state == "switch" else OLD
    assert tuple(found) == ("state.json", "ca.key", "ca.crt", "bundle.crt")
    assert (found["ca.crt"], found["ca.key"]) == (signer.cert, signer.key)
    assert found["bundle.crt"] == (OLD.cert if state == "stable" else OLD.cert + NEW.cert)


def test_the_next_ca_is_known_before_it_signs() -> None:
    assert [each.next_cert for each in STATES.values()] == ["", NEW.cert, ""]


STATE = authority.files(STATES["stable"])["state.json"]
OLD_SHOWN = certs.fingerprints(OLD.cert)[0][:16]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ca.crt": OLD.cert}, "ca.key is missing in /mesh, but ca.crt is there: restore it from a copy"),
        ({"ca.key": OLD.key}, "ca.crt is missing in /mesh, but ca.key is there: restore it from a copy"),
        (
            {"ca.crt": OLD.cert, "ca.key": NEW.key},
            "ca.key in /mesh does not match ca.crt: restore the two of one CA",
        ),
        ({"ca.crt": "", "ca.key": OLD.key}, "ca.crt in /mesh is not one PEM certificate: restore it from a copy"),
        ({"ca.crt": LEAF.cert, "ca.key": LEAF.key}, "ca.crt in /mesh is no CA certificate: it could not sign"),
        (
            {"ca.crt": OLD.cert, "ca.key": "$ANSIBLE_VAULT;1.1;AES256\n31"},
            "ca.key in /mesh is encrypted: decrypt it, or give ca_cert and ca_key by a lookup",
        ),
        (
            {"ca.crt": OLD.cert, "ca.key": '{"data": "ENC[AES256_GCM,data:x]"}'},
            "ca.key in /mesh is encrypted: decrypt it, or give ca_cert and ca_key by a lookup",
        ),
        *[
            (
                {"state.json": text},
                "state.json in /mesh cannot be read: restore it, or remove it to go on with ca.crt and ca.key",
            )
            for text in ("", "{", "[]", "{}", STATE.replace("stable", "prepare"), STATE.replace("stable", "x"))
        ],
        (
            {"state.json": STATE, "ca.crt": STRANGER.cert, "ca.key": STRANGER.key},
            f"ca.crt in /mesh is not the CA of state.json ({OLD_SHOWN}): "
            "remove ca.crt and ca.key to restore that CA, or state.json to continue with these files",
        ),
        (
            {"state.json": STATE, "ca.crt": OLD.cert, "ca.key": STRANGER.key},
            "ca.key in /mesh does not match ca.crt: remove it to restore it from state.json",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(files: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        authority.load(files, "/mesh")
    assert str(caught.value) == words


def test_a_ca_that_was_put_there_is_taken() -> None:
    assert authority.load({}, "/mesh") is None
    assert authority.load({"ca.crt": OLD.cert, "ca.key": OLD.key}, "/mesh") == STATES["stable"]


STEPS = [
    ({}, STATES["stable"]),
    (authority.files(STATES["stable"]), STATES["prepare"]),
    (authority.files(STATES["prepare"]), STATES["switch"]),
    (authority.files(STATES["switch"]), Authority("stable", (NEW,))),
    (authority.files(STATES["switch"]), STATES["prepare"]),
]


@pytest.mark.parametrize(("before", "after"), STEPS)
@pytest.mark.parametrize("written", range(5))
def test_a_run_killed_after_any_write_can_be_gone_on_with(
    tmp_path: Path, before: dict[str, str], after: Authority, written: int
) -> None:
    wanted = authority.files(after)
    authority.write(tmp_path, before, list(before))
    authority.write(tmp_path, wanted, list(wanted)[:written])
    found = authority.load(authority.read(tmp_path), "/mesh")
    if written:
        assert found == after
    elif before:
        assert authority.files(found or after) == before


@pytest.mark.parametrize("written", range(8))
def test_finish_after_a_switch_that_was_killed_and_killed_itself(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    half = authority.files(STATES["prepare"]) | {"state.json": authority.files(STATES["switch"])["state.json"]}
    authority.write(tmp_path, half, list(half))
    write, left = authority.write, [1] * written

    def some(directory: Path, wanted: dict[str, str], names: list[str]) -> None:
        for name in names:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            write(directory, wanted, [name])

    with monkeypatch.context() as patch:
        patch.setattr(authority, "write", some)
        try:
            run("cilium_clustermesh_ca", path=str(tmp_path), phase="finish")
        except KeyboardInterrupt:
            assert written < 5
    assert run("cilium_clustermesh_ca", path=str(tmp_path), phase="finish")["phase"] == "stable"
    assert authority.read(tmp_path) == authority.files(Authority("stable", (NEW,)))


def test_only_what_differs_is_written_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    place, wanted = tmp_path / "a/mesh", authority.files(STATES["stable"])
    authority.write(place, wanted, authority.differing(place, wanted))
    assert authority.differing(place, wanted) == []
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o755)
    (place / "ca.key").chmod(0o644)
    (place / "bundle.crt").write_text("altered")
    assert authority.differing(place, wanted) == [".", "ca.key", "bundle.crt"]
    authority.write(place, wanted, authority.differing(place, wanted))
    assert authority.differing(place, wanted) == []


def test_a_second_run_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "mesh")
    first = run("cilium_clustermesh_ca", path=path)
    files = {each: each.stat().st_mtime_ns for each in (tmp_path / "mesh").iterdir()}
    second = run("cilium_clustermesh_ca", path=path, common_name="Other", validity_days=1)
    assert (first["changed"], second["changed"]) == (True, False)
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "mesh").iterdir()} == files
    assert first["ca_cert"] == second["ca_cert"] == first["bundle"] == (tmp_path / "mesh/ca.crt").read_text()
    assert (first["phase"], first["next_fingerprint"], first["days_left"]) == ("stable", "", 3649)
    key = (tmp_path / "mesh/ca.key").read_text()
    assert "PRIVATE" in key and "PRIVATE" not in str(first) and key.split("\n")[1] not in str(first)


def test_a_replacement_from_begin_to_end(run: Run, warned: list[str], tmp_path: Path) -> None:
    def phase(name: str, changed: bool) -> dict[str, Any]:
        done = run("cilium_clustermesh_ca", path=str(tmp_path), phase=name)
        assert done["changed"] is changed, done
        assert "PRIVATE" not in str(done)
        return done

    old = phase("stable", True)["fingerprint"]
    prepared = phase("prepare", True)
    assert phase("prepare", False)["next_fingerprint"] == prepared["next_fingerprint"] != old
    assert prepared["fingerprints"] == sorted([old, prepared["next_fingerprint"]])
    open_words = "The rotation of the CA is in phase prepare: continue with the next phase."
    assert warned == []
    phase("stable", False)
    assert warned == [open_words]
    switched = phase("switch", True)
    assert switched["fingerprint"] == prepared["next_fingerprint"]
    assert switched["fingerprints"] == prepared["fingerprints"]
    finished = phase("finish", True)
    assert finished["fingerprints"] == [prepared["next_fingerprint"]]
    assert phase("finish", False)["phase"] == phase("stable", False)["phase"] == "stable"
    left = "".join(each.read_text() for each in tmp_path.iterdir())
    assert left.count("PRIVATE KEY-----") == 4, "the key of the old CA is gone; the new one is in ca.key and state.json"
    refused = run("cilium_clustermesh_ca", path=str(tmp_path), phase="switch")
    assert refused["msg"] == f"phase 'switch' without 'prepare': no next CA in {tmp_path}."


def test_check_mode_writes_nothing(run: Run, tmp_path: Path) -> None:
    planned = run("cilium_clustermesh_ca", check=True, path=str(tmp_path / "mesh"))
    assert planned["changed"] and "BEGIN CERTIFICATE" in planned["ca_cert"] and not (tmp_path / "mesh").exists()
    run("cilium_clustermesh_ca", path=str(tmp_path / "mesh"))
    before = authority.read(tmp_path / "mesh")
    planned = run("cilium_clustermesh_ca", check=True, path=str(tmp_path / "mesh"), phase="prepare")
    assert planned["changed"] and "phase: prepare" in planned["diff"]["after"]
    assert run("cilium_clustermesh_ca", check=True, path=str(tmp_path / "mesh"), state="absent")["changed"]
    assert authority.read(tmp_path / "mesh") == before


def test_absent_removes_what_is_ours(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mesh"
    run("cilium_clustermesh_ca", path=str(path))
    (path / ".ca.key.new").write_text("of a run that was killed")
    (path / "theirs").write_text("")
    assert run("cilium_clustermesh_ca", path=str(path), state="absent")["changed"]
    assert [each.name for each in path.iterdir()] == ["theirs"]
    (path / "theirs").unlink()
    assert not run("cilium_clustermesh_ca", path=str(path), state="absent")["changed"]
    assert not path.exists()


def test_a_ca_that_is_kept_elsewhere_is_judged_only(run: Run) -> None:
    given_ca = {"ca_cert": OLD.cert.strip(), "ca_key": OLD.key.strip()}
    found = run("cilium_clustermesh_ca", **given_ca, _ansible_inject_invocation=True)
    assert found["invocation"] and "PRIVATE KEY" not in str(found)
    assert not found["changed"] and found["fingerprints"] == certs.fingerprints(OLD.cert)
    refused = run("cilium_clustermesh_ca", ca_cert=OLD.cert, ca_key=NEW.key, phase="prepare")
    assert refused["msg"] == (
        f"ca_key does not match ca_cert (sha256 {OLD_SHOWN}): give the two of one CA\n"
        "phase 'prepare' needs path: a CA given as ca_cert has no phases."
    )
    removed = run("cilium_clustermesh_ca", **given_ca, state="absent")
    assert removed["msg"] == "state is absent but all of the following are missing: path", "never the current directory"


def test_a_ca_that_ends_soon_is_said(run: Run, warned: list[str]) -> None:
    short = make_authority("Cilium CA", 30, datetime.now(UTC))
    run("cilium_clustermesh_ca", ca_cert=short.cert, ca_key=short.key)
    assert warned == ["The CA of the mesh expires in 29 days: rotate it (phases prepare, switch, finish)."]


def test_adoption_is_only_tried_where_there_is_no_ca(run: Run, tmp_path: Path) -> None:
    dead = {"kubeconfig": str(tmp_path / "absent")}
    refused = run("cilium_clustermesh_ca", path=str(tmp_path / "mesh"), adopt_from=dead)
    assert str(tmp_path / "absent") in refused["msg"] and not (tmp_path / "mesh").exists()
    run("cilium_clustermesh_ca", path=str(tmp_path / "mesh"))
    assert not run("cilium_clustermesh_ca", path=str(tmp_path / "mesh"), adopt_from=dead)["changed"]


def test_a_pair_without_its_key_in_its_name() -> None:
    assert OLD.key not in repr(STATES["switch"]) and isinstance(OLD, Pair)
