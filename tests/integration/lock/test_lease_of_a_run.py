# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""ansible-playbook and the Lease, on a real API server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.lock import lease as pure

import inventories
from api_server import ApiServer

PLAYBOOK = """
- name: All
  hosts: clusters:nodes
  gather_facts: false
  roles: [opendata.platform.fleet]
  tasks:
    - name: It writes
      ansible.builtin.command: "{{ writes }}"
      delegate_to: localhost
      run_once: true
"""
BERT = pure.Run("desk/2", "desk", "bert on desk, process 7", "ansible-playbook site.yml")


@pytest.fixture
def api(server: ApiServer) -> Iterator[Cluster]:
    """The cluster, without a Lease before and after."""
    cluster = Cluster(str(server.kubeconfig))
    while not cluster.get("/api/v1/namespaces/kube-system"):
        time.sleep(0.1)
    yield cluster
    if cluster.get(pure.PATH):
        cluster.request("DELETE", pure.PATH)


@pytest.fixture
def command(server: ApiServer, tmp_path: Path) -> list[str]:
    """A playbook with an inventory of its own, whose cluster north is the API server."""
    inventory = tmp_path / "trial"
    shutil.copytree(inventories.FIXTURES / "valid/local", inventory)
    (inventory / ".state/kubeconfigs").mkdir(parents=True)
    shutil.copy(server.kubeconfig, inventory / ".state/kubeconfigs/north")
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    playbook = str(Path(sys.executable).parent / "ansible-playbook")
    return [playbook, str(tmp_path / "playbook.yml"), "-i", str(inventory)]


def start(command: list[str], writes: str, *arguments: str) -> subprocess.Popen[str]:
    every = [*command, *arguments, "-e", f"writes='{writes}'"]
    return subprocess.Popen(
        every, cwd=inventories.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    )


def test_a_run_holds_the_lease_to_its_end(api: Cluster, command: list[str]) -> None:
    with start(command, "sleep 2") as run:
        while not (seen := api.get(pure.PATH)):
            assert run.poll() is None, run.stdout.read()
            time.sleep(0.1)
        output = run.communicate()[0]
    assert run.returncode == 0, output
    assert f", process {run.pid}" in seen["metadata"]["annotations"][pure.HOLDER]
    assert seen["metadata"]["annotations"][pure.COMMAND].endswith("/trial -e writes=...")
    assert api.get(pure.PATH) is None


def test_a_run_is_refused_while_another_holds_it(api: Cluster, command: list[str], tmp_path: Path) -> None:
    api.request("POST", pure.LIST, body=pure.taken(None, BERT, api.now, 60))
    with start(command, f"touch {tmp_path}/written") as run:
        output = run.communicate()[0]
    assert run.returncode == 1, output
    assert "Cluster north is in use by bert on desk, process 7, since 20" in output
    with start(command, f"touch {tmp_path}/written", "--limit", "south,south-1") as run:
        assert run.communicate()[0]
    assert run.returncode == 0
    (tmp_path / "written").unlink()
    with start(command, f"touch {tmp_path}/written", "--check") as run:
        output = run.communicate()[0]
    assert run.returncode == 0, output
    assert not (tmp_path / "written").exists()
    assert api.get(pure.PATH)["spec"]["holderIdentity"] == "desk/2"


def test_what_only_reads_takes_none(api: Cluster, command: list[str], tmp_path: Path) -> None:
    api.request("POST", pure.LIST, body=pure.taken(None, BERT, api.now, 60))
    status = command[1] = str(tmp_path / "status.yml")
    Path(status).write_text(PLAYBOOK)
    with start(command, "true") as run:
        output = run.communicate()[0]
    assert run.returncode == 0, output


def test_after_a_killed_run_the_next_goes_on_at_once(api: Cluster, command: list[str], tmp_path: Path) -> None:
    with start(command, f"sh -c 'touch {tmp_path}/begun; sleep 30'".replace("'", '"')) as run:
        while not (tmp_path / "begun").exists():
            assert run.poll() is None, run.stdout.read()
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGKILL)
    with start(command, "true") as again:
        output = again.communicate()[0]
    assert again.returncode == 0, output
    assert api.get(pure.PATH) is None
