# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The modules of the role in check mode, on a host without the fleet, and on what others own."""

from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import layout as rules
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import Supervisor
from ansible_collections.opendata.platform.plugins.modules import nspawn_machine

HOST = {"fleet": "unit-test", "directory": "/srv/inv/unit-test"}
NETWORK = {"network": "203.0.113.0/28", "bridge": "odp-unit-test"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for machines, and no supervisord."""
    for module in (rules, host, nspawn_machine):
        monkeypatch.setattr(module, "STATE", tmp_path / "state")
    nobody = Supervisor(tmp_path / "run", tmp_path / "log")
    monkeypatch.setattr(Supervisor, "of_fleet", classmethod(lambda cls, fleet: nobody))
    return tmp_path / "state"


def test_check_mode_lists_what_the_host_would_get(run, state: Path) -> None:
    result = run("nspawn_host", check=True, **HOST, **NETWORK)
    made = ["bridge odp-unit-test", "address 203.0.113.1/28 on odp-unit-test", "nft table odp_unit_test"]
    assert [line for line in made if line not in result["changes"]] == []
    assert result["changed"]
    assert not state.exists()
    assert not Path("/sys/class/net/odp-unit-test").exists()


def test_down_without_a_fleet_changes_nothing(run, state: Path) -> None:
    for check in (True, False):
        result = run("nspawn_host", check=check, **HOST, state="absent")
        assert (result["changed"], result["exceptions"]) == (False, [])


def test_down_of_a_half_made_fleet_removes_its_files(run, state: Path) -> None:
    record = {"directory": HOST["directory"], **NETWORK, "packages": ["nftables"], "sysctls": {}}
    host.write_record("unit-test", record)
    (state / "unit-test/machines/a").mkdir(parents=True)
    result = run("nspawn_host", **HOST, state="absent")
    assert result["changes"] == [f"files {state}/unit-test"]
    assert result["exceptions"] == ["Debian packages stay installed: nftables"]
    assert not state.exists()


@pytest.mark.parametrize("wanted", ["present", "absent"])
def test_the_fleet_of_another_directory_is_left_alone(run, state: Path, tmp_path: Path, wanted: str) -> None:
    host.write_record("unit-test", {"directory": str(tmp_path), **NETWORK, "packages": [], "sysctls": {}})
    result = run("nspawn_host", check=True, **HOST, **NETWORK, state=wanted)
    assert result["failed"]
    assert f"belongs to {tmp_path}" in result["msg"]
    assert (state / "unit-test/host.json").exists()


def test_a_machine_is_planned_in_check_mode(run, state: Path, tmp_path: Path) -> None:
    options = {
        "fleet": "unit-test",
        "name": "a",
        "address": "203.0.113.2",
        **NETWORK,
        "base": str(tmp_path),
        "keys": str(tmp_path / "ssh"),
        "start": "#!/bin/sh\n",
        "masked": ["x.service"],
    }
    result = run("nspawn_machine", check=True, **options)
    assert result["planned"]
    assert result["changed"]
    assert "/etc/systemd/system/x.service: written" in result["diff"]["after"]
    assert not state.exists()
    for name in ("base", "images"):
        assert run("nspawn_machine", check=True, **{**options, name: str(tmp_path / "planned")})["planned"]
        gone = run("nspawn_machine", **{**options, name: str(tmp_path / "nowhere")})
        assert f"the directory {tmp_path / 'nowhere'} of its " in gone["msg"]


def test_a_machine_keeps_the_images_that_it_was_created_with(run, state: Path, tmp_path: Path) -> None:
    home = state / "unit-test/machines/a"
    home.mkdir(parents=True)
    (home / "base").write_text(f"{tmp_path}\n")
    options = {**HOST, **NETWORK, "name": "a", "address": "203.0.113.2", "base": str(tmp_path), "keys": str(tmp_path)}
    del options["directory"]
    # An older machine has none.
    old = run("nspawn_machine", check=True, **options, start="", images=str(tmp_path / "new"))
    assert "failed" not in old
    (home / "images").write_text(f"{tmp_path / 'gone'}\n")
    new = run("nspawn_machine", check=True, **options, start="", images=str(tmp_path))
    assert f"the directory {tmp_path / 'gone'} of its images is gone" in new["msg"]


def test_keys_are_created_once_and_known_hosts_is_repaired(run, tmp_path: Path) -> None:
    keys = {"directory": str(tmp_path / "ssh"), "machines": {"a": "10.77.0.11", "b": "10.77.0.12"}}
    assert run("ssh_keys", check=True, **keys)["made"] == ["id_ed25519", "hosts/a", "hosts/b", "known_hosts"]
    assert not (tmp_path / "ssh").exists()
    assert run("ssh_keys", **keys)["changed"]
    listing = tmp_path / "ssh/known_hosts"
    first, key = listing.read_text(), (tmp_path / "ssh/id_ed25519").read_bytes()
    assert not run("ssh_keys", **keys)["changed"]
    assert [line.split()[0] for line in first.splitlines()] == ["a,10.77.0.11", "b,10.77.0.12"]
    assert (tmp_path / "ssh/hosts/a").stat().st_mode & 0o777 == 0o600
    listing.write_text("altered")
    assert run("ssh_keys", **keys)["made"] == ["known_hosts"]
    assert listing.read_text() == first
    assert (tmp_path / "ssh/id_ed25519").read_bytes() == key
    assert (tmp_path / "ssh").stat().st_mode & 0o777 == 0o700


def test_check_mode_is_why_the_keypairs_of_the_library_are_not_used(run, tmp_path: Path) -> None:
    library = "ansible_collections.community.crypto.plugins.modules.openssh_keypair"
    planned = run(library, check=True, path=str(tmp_path / "ssh/id_ed25519"), type="ed25519")
    assert planned["failed"]
    assert "does not exist" in planned["msg"]
    assert run("ssh_keys", check=True, directory=str(tmp_path / "ssh"), machines={})["changed"]
