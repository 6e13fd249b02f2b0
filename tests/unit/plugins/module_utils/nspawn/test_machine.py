# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Files in a machine's root are compared and repaired in place."""

import os
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.machine import (
    GuestFile,
    guest_root,
    ssh_answers,
)

HOSTS = GuestFile("/etc/hosts", "127.0.0.1 localhost\n")
KEY = GuestFile("/root/.ssh/authorized_keys", "key\n", 0o600)
MASK = GuestFile("/etc/systemd/system/a.service", link="/dev/null")


@pytest.mark.parametrize("file", [HOSTS, KEY, MASK])
def test_what_is_written_matches(tmp_path: Path, file: GuestFile) -> None:
    assert not file.matches(tmp_path)
    file.write(tmp_path)
    assert file.matches(tmp_path)
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.parametrize("change", ["content", "mode", "link", "gone"])
def test_every_alteration_is_seen_and_mended(tmp_path: Path, change: str) -> None:
    HOSTS.write(tmp_path)
    path = tmp_path / "etc/hosts"
    if change == "content":
        path.write_text("altered")
    elif change == "mode":
        path.chmod(0o600)
    else:
        path.unlink()
        if change == "link":
            path.symlink_to("/etc/hosts")
    assert not HOSTS.matches(tmp_path)
    HOSTS.write(tmp_path)
    assert HOSTS.matches(tmp_path)


def test_a_link_inside_the_machine_does_not_lead_to_the_host(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.write_text("the host's")
    (root / "etc").mkdir(parents=True)
    (root / "etc/hosts").symlink_to(outside)
    HOSTS.write(root)
    assert outside.read_text() == "the host's"
    assert not (root / "etc/hosts").is_symlink()


def test_directories_of_keys_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        KEY.write(tmp_path)
        HOSTS.write(tmp_path)
    finally:
        os.umask(old)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("root", "root/.ssh", "etc")}
    assert modes == {"root": 0o700, "root/.ssh": 0o700, "etc": 0o755}


def test_a_process_without_a_machine_has_no_root() -> None:
    assert guest_root(0) is None
    assert guest_root(os.getpid()) is None


def test_what_is_not_ssh_is_said() -> None:
    assert ssh_answers("127.0.0.254", Path("/nowhere")).startswith("127.0.0.254:22: ")
