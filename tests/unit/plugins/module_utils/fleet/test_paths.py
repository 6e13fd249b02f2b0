# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Recorded host keys stay in use where the file has the name of an earlier release."""

from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.fleet.paths import known_hosts


def test_recorded_keys_of_an_earlier_release_stay_in_use(tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    assert known_hosts(tmp_path) == ssh / "existing_known_hosts"
    ssh.mkdir()
    (ssh / "given_known_hosts").touch()
    assert known_hosts(tmp_path) == ssh / "given_known_hosts"
    (ssh / "existing_known_hosts").touch()
    assert known_hosts(tmp_path) == ssh / "existing_known_hosts"
