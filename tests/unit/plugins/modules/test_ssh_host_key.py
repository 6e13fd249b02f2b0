# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Host keys of existing hosts, with a real OpenSSH server."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.node import ssh_host_key as pure
from hypothesis import given
from hypothesis import strategies as st

from inventories import ROOT
from ssh_server import SERVER, SshServer

WHO = {"name": "metal-1", "address": "192.0.2.11", "where": "inventories/prd/hosts.yml"}
CHANGED = """
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The fingerprint for the ED25519 key sent by the remote host is
SHA256:new.
Please contact your system administrator.
Host key for 192.0.2.11 has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.fixture
def ssh() -> Iterator[SshServer]:
    if not SERVER:
        pytest.skip("there is no sshd: apt-get install openssh-server")
    server = SshServer()
    yield server
    server.remove()


@pytest.fixture
def look(run: Any, ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The module, for the server, with an empty home."""

    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        file = str(tmp_path / "ssh/existing_known_hosts")
        every = {**WHO, "host": "127.0.0.1", "port": ssh.port, "known_hosts": file, **params}
        return run("ssh_host_key", check=check, **every)

    monkeypatch.setattr(pure, "OWN", str(tmp_path / "own"))
    return call


def test_the_first_contact_is_recorded_and_said_once(look: Any, ssh: SshServer, tmp_path: Path) -> None:
    fingerprint = ssh.restart()
    file = tmp_path / "ssh/existing_known_hosts"
    planned = look(check=True)
    assert (planned["changed"], planned["message"], file.exists()) == (True, "", False)
    first = look()
    assert first["changed"]
    assert first["message"] == (
        f"metal-1: first connection, its host key ED25519 {fingerprint} is recorded in {file}. Compare it on the "
        "machine's console: for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    before = file.read_text()
    again = look()
    assert (again["changed"], again["message"], file.read_text()) == (False, "", before)


def test_another_key_is_refused_with_both_fingerprints(look: Any, ssh: SshServer, tmp_path: Path) -> None:
    old, file = ssh.restart(), tmp_path / "ssh/existing_known_hosts"
    look()
    before = file.read_text()
    new = ssh.restart()
    refused = look()
    assert refused["failed"]
    assert refused["msg"] == (
        f"metal-1: node_address: the host key of 192.0.2.11 has changed to ED25519 {new}; {file} has ED25519 {old} for "
        f"[127.0.0.1]:{ssh.port} (inventories/prd/hosts.yml). Someone may be intercepting the connection. If the "
        f"machine was reinstalled on purpose, remove the old key: ssh-keygen -R '[127.0.0.1]:{ssh.port}' -f {file}"
    )
    assert file.read_text() == before
    subprocess.run(shlex.split(refused["msg"].rpartition(": ")[2]), check=True, capture_output=True)
    assert look()["message"].startswith(f"metal-1: first connection, its host key ED25519 {new}")


def test_a_key_of_another_kind_is_another_key(look: Any, ssh: SshServer, tmp_path: Path) -> None:
    old = ssh.restart()
    look()
    new = ssh.restart("ecdsa")
    file = tmp_path / "ssh/existing_known_hosts"
    assert f"has changed to ECDSA {new}; {file} has ED25519 {old} for " in look()["msg"]


def test_accept_new_connects_without_recording_and_without_a_fingerprint(
    look: Any, ssh: SshServer, tmp_path: Path
) -> None:
    """Why the module is not replaced by it."""
    file = tmp_path / "a-file/known_hosts"
    file.parent.touch()
    options = ["-o", f"UserKnownHostsFile={file}", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes"]
    command = ["ssh", "-F", "none", *options, "-p", str(ssh.port), "127.0.0.1", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert "Permission denied (" in done.stderr
    assert "SHA256:" not in done.stderr
    refused = look(known_hosts=str(file))
    assert refused["failed"]
    assert str(file.parent) in refused["msg"]


def test_a_key_that_the_user_knows_already_is_not_recorded_again(look: Any, ssh: SshServer, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(f"[127.0.0.1]:{ssh.port} {(ssh.directory / 'key.pub').read_text()}")
    assert look()["changed"] is False
    assert not (tmp_path / "ssh/existing_known_hosts").exists()
    ssh.restart()
    assert f"; {tmp_path / 'own'} has " in look()["msg"]


def test_a_machine_that_does_not_answer(look: Any, ssh: SshServer) -> None:
    ssh.stop()
    assert look()["msg"] == (
        f"metal-1: node_address: 192.0.2.11 does not answer SSH: ssh: connect to host 127.0.0.1 port {ssh.port}: "
        "Connection refused (inventories/prd/hosts.yml). "
        "Correct node_address or the keys, or start the machine."
    )
    named = look(host="nobody.invalid", port=None)
    assert "does not answer SSH: ssh: Could not resolve hostname nobody.invalid" in named["msg"]


@pytest.mark.parametrize("check", [False, True])
def test_the_arguments_are_good_for_ssh(look: Any, ssh: SshServer, tmp_path: Path, check: bool) -> None:
    (tmp_path / "a b").mkdir()
    file = tmp_path / "a b/known"
    words = shlex.split(pure.arguments(str(file), check))
    end = ["-o", "BatchMode=yes", "-p", str(ssh.port), "127.0.0.1", "true"]
    said = subprocess.run(["ssh", *words, *end], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert ("Permission denied (" in said.stderr) == check
    assert not file.exists()
    look(known_hosts=str(file))
    said = subprocess.run(["ssh", *words, *end], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert "Permission denied (" in said.stderr
    ssh.restart()
    said = subprocess.run(["ssh", *words, *end], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert "Host key verification failed." in said.stderr


def test_what_ssh_says_of_another_key_is_understood() -> None:
    assert pure.verdict(255, CHANGED) == pure.Verdict("changed", "192.0.2.11", "ED25519 SHA256:new")


@given(st.integers(0, 255), st.text())
def test_only_who_came_to_the_log_in_is_known(code: int, said: str) -> None:
    assert (pure.verdict(code, said).state == "known") == (code == 0 or "Permission denied (" in said)


def test_who_chose_a_file_or_another_connection_keeps_it() -> None:
    machines = {"made": "nspawn"}
    nodes = {name: {"machine": machines.get(name, "existing")} for name in ("made", "own", "plain", "local", "extra")}
    hostvars = {
        "made": {},
        "own": {"ansible_ssh_common_args": "-o userknownhostsfile=/x"},
        "plain": {"ansible_connection": "ansible.builtin.ssh", "ansible_ssh_common_args": "-o ProxyJump=jump"},
        "local": {"ansible_connection": "ansible.builtin.local"},
        "extra": {"ansible_ssh_extra_args": "-o UserKnownHostsFile=/x"},
    }
    assert pure.unpinned(nodes, hostvars) == ["plain"]


def test_preflight_tells_all_machines_at_once(ssh: SshServer, tmp_path: Path) -> None:
    silent = SshServer()
    silent.remove()
    inventory = tmp_path / "trial"
    inventory.mkdir()
    hosts = [("control_plane", ssh.port), ("worker", silent.port), ("worker", silent.port)]
    nodes = {
        f"metal-{number}": {
            "node_address": f"192.0.2.{number}",
            "node_cluster": "metal",
            "node_role": role,
            "ansible_port": port,
        }
        for number, (role, port) in enumerate(hosts, start=1)
    }
    shared = {"ansible_host": "127.0.0.1", "ansible_ssh_extra_args": "-o IdentitiesOnly=yes"}
    groups = {
        "clusters": {"hosts": {"metal": {"cluster_provider": "kubeadm"}}},
        "nodes": {"hosts": nodes, "vars": shared},
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(groups))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/preflight.yml", "-i", str(inventory)]

    def preflight(*arguments: str) -> str:
        environment = {**os.environ, "HOME": str(tmp_path)}
        run = [*command, *arguments]
        done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode
        return done.stdout + done.stderr

    file = inventory / ".state/ssh/existing_known_hosts"
    planned = preflight("--check")
    assert not file.exists()
    # Past the host key: nobody can log in to this server.
    assert "metal-1: node_address: 192.0.2.1 does not answer SSH: " in planned
    assert "Permission denied" in planned
    first = preflight()
    for machine in ("metal-2", "metal-3"):
        assert (
            f"{machine}: node_address: 192.0.2.{machine[-1]} does not answer SSH: ssh: connect to host 127.0.0.1 port "
            in first
        )
    assert f" port {silent.port}: Connection refused (" in first
    assert "metal-1: node_address: 192.0.2.1 does not answer SSH: " in first
    assert "first connection, its host key ED25519 SHA256:" in first
    assert "Permission denied" in first
    assert file.read_text().startswith(f"[127.0.0.1]:{ssh.port} ssh-ed25519 ")
    ssh.restart()
    assert "the host key of 192.0.2.1 has changed to ED25519 SHA256:" in preflight()
