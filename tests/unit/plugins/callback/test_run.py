# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs of ansible-playbook that touch nothing but an inventory of their own: record, report, lock."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import FleetLock
from ansible_collections.opendata.platform.plugins.module_utils.supervisor import client as processes

import inventories

PLAYBOOK = """
- name: All
  hosts: clusters:nodes
  gather_facts: false
  roles: [opendata.platform.fleet]
  tasks:
    - name: It breaks
      ansible.builtin.fail:
        msg: no disk is left
      when: inventory_hostname == breaking | default('')
    - name: It is said
      ansible.builtin.debug:
        msg: [one line, "endpoint {{ fleet.clusters.north.endpoint }}"]
      run_once: true
- name: Later
  hosts: clusters:nodes
  gather_facts: false
  tasks:
    - name: Servers
      ansible.builtin.include_role:
        name: opendata.platform.fleet
        tasks_from: require_control_plane
      when: inventory_hostname in fleet.clusters
"""


class Runner:
    """ansible-playbook with an inventory of its own."""

    def __init__(self, directory: Path, fixture: Path) -> None:
        self.inventory = directory / "trial"
        shutil.copytree(fixture, self.inventory, ignore=shutil.ignore_patterns("*.txt"))
        self.playbook = directory / "playbook.yml"
        self.playbook.write_text(PLAYBOOK)
        self.status_file = directory / "status.json"

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), *arguments]
        variables = {**os.environ, "ODP_STATUS_FILE": str(self.status_file), **environment}
        return subprocess.run(
            command, cwd=inventories.ROOT, env=variables, text=True, stdout=-1, stderr=subprocess.STDOUT, check=False
        )

    @property
    def status(self) -> dict:
        return json.loads(self.status_file.read_text())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path, inventories.FIXTURES / "valid/local")


def test_record_is_made_and_messages_are_said(runner: Runner) -> None:
    run = runner(str(runner.playbook))
    assert run.returncode == 0, run.stdout
    assert "] playbook | fleet | Check the inventory and build the fleet record" in run.stdout
    assert "] one line\n" in run.stdout
    assert "] endpoint 10.77.0.11:6443" in run.stdout
    assert (runner.inventory / ".state").stat().st_mode & 0o777 == 0o700
    assert "WARN" not in run.stdout


def test_check_mode_makes_nothing(runner: Runner) -> None:
    run = runner(str(runner.playbook), "--check")
    assert run.returncode == 0, run.stdout
    assert not (runner.inventory / ".state").exists()


def test_every_fault_of_the_inventory_is_told_before_anything_is_done(tmp_path: Path) -> None:
    runner = Runner(tmp_path, inventories.FIXTURES / "invalid/several-at-once")
    run = runner("playbooks/preflight.yml")
    assert run.returncode == 2
    assert "The inventory has 3 faults, nothing was changed:" in run.stdout
    assert "trial/hosts.yml:8). Use another address." in run.stdout
    assert not (runner.inventory / ".state").exists()
    assert [row["name"] for row in runner.status["clusters"]] == ["north", "south"]
    assert all("The inventory has 3 faults" in row["reason"] for row in runner.status["clusters"])


def test_a_cluster_without_servers_ends_and_the_others_go_on(runner: Runner) -> None:
    run = runner(str(runner.playbook), "-e", "breaking=south-1")
    assert run.returncode == 2
    assert "no control plane node of south is left: see the first failure of south-1" in run.stdout
    assert "no control plane node of north" not in run.stdout
    assert runner.status["ok"] is False
    assert runner.status["clusters"][1]["reason"] == "south-1: It breaks: no disk is left"


def test_the_table_comes_when_every_host_failed(runner: Runner) -> None:
    runner.playbook.write_text(PLAYBOOK.replace("when: inventory_hostname == breaking | default('')", ""))
    run = runner(str(runner.playbook))
    assert run.returncode == 2
    reasons = [row["reason"] for row in runner.status["clusters"]]
    assert reasons == ["north-1: It breaks: no disk is left", "south-1: It breaks: no disk is left"]
    assert "north    0/1" in run.stdout


def test_a_second_run_is_refused_and_reading_is_not(runner: Runner) -> None:
    lock = FleetLock(runner.inventory / ".state", ["ansible-playbook", "site.yml"])
    try:
        refused = runner(str(runner.playbook))
        checked = runner(str(runner.playbook), "--check")
        read = runner("playbooks/status.yml")
        mesh = runner("playbooks/mesh_status.yml")
    finally:
        lock.release()
    assert refused.returncode == 1
    assert "Fleet trial is in use by" in refused.stdout
    assert f"process {os.getpid()}" in refused.stdout
    assert "PLAY" not in refused.stdout
    assert checked.returncode == 0, checked.stdout
    assert "in use" not in read.stdout
    assert "not created yet" in read.stdout
    assert "in use" not in mesh.stdout
    assert "kubeconfigs/north cannot be used" in mesh.stdout


def test_a_mesh_that_is_not_made_yet_is_no_failure_in_check_mode(runner: Runner) -> None:
    run = runner("playbooks/mesh_status.yml", "--check")
    assert run.returncode == 0, run.stdout
    assert runner.status["ok"] is False
    assert runner.status["clusters"]["north"]["peers"]["south"]["reason"] == "not made yet"
    assert "north    south  no     0      0          0         -            not made yet" in run.stdout


def test_a_fleet_without_a_mesh_is_told_how_to_get_one(runner: Runner) -> None:
    hosts = runner.inventory / "hosts.yml"
    hosts.write_text(re.sub(r" *cluster_id: .*\n", "", hosts.read_text()))
    run = runner("playbooks/mesh_status.yml")
    assert run.returncode == 2
    assert "No cluster of fleet trial is in a mesh. Set a unique cluster_id" in run.stdout
    assert runner.status == {"ok": False, "clusters": {}}


def test_of_a_broken_inventory_every_cluster_is_a_row(tmp_path: Path) -> None:
    runner = Runner(tmp_path, inventories.FIXTURES / "invalid/several-at-once")
    assert runner("playbooks/mesh_status.yml").returncode == 2
    assert "The inventory has 3 faults" in runner.status["clusters"]["south"]["peers"]["north"]["reason"]


@pytest.mark.parametrize("stage", ["verify", "mesh_test"])
def test_the_name_of_a_playbook_that_tests_decides_what_it_ends_with(runner: Runner, stage: str) -> None:
    asked = {"namespace": "x", "selector": "app=x", "container": "x", "command": ["x"]}
    task = {"name": "Asked", "opendata.platform.pod_checks": {"kubeconfig": "/absent", **asked}}
    play = {"hosts": "clusters", "gather_facts": False, "connection": "local", "tasks": [task]}
    playbook = runner.playbook.with_name(f"{stage}.yml")
    playbook.write_text(yaml.safe_dump([play]))
    run = runner(str(playbook))
    assert run.returncode == 2
    assert re.search(r"\nnorth +run +no +0\.0 +checks +Asked: kubeconfig /absent cannot be used: ", run.stdout), (
        run.stdout
    )
    assert [each["cluster"] for each in runner.status["checks"]] == ["north", "south"]


def test_warnings_of_tasks_that_change_nothing_are_said_once(runner: Runner) -> None:
    pair = inventories.FIXTURES / "valid/mesh/pair/clusters.yml"
    records = yaml.safe_load(pair.read_text())["clusters"]
    records["north"]["policy_default_local_cluster"] = True
    judge = {"opendata.platform.cilium_clustermesh_preflight": {"clusters": [*records.values()]}}
    play = {
        "hosts": "clusters",
        "gather_facts": False,
        "connection": "local",
        "tasks": [judge, {"loop": [1, 2], **judge}],
    }
    runner.playbook.write_text(yaml.safe_dump([play]))
    run = runner(str(runner.playbook))
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("[WARNING]: POLICY_SCOPE: north: policies select only the local cluster") == 1, run.stdout


def test_a_missing_callback_breaks_nothing(runner: Runner) -> None:
    run = runner(str(runner.playbook), ANSIBLE_CALLBACKS_ENABLED="opendata.platform.gone")
    assert run.returncode == 0, run.stdout


def test_an_unknown_inventory_ends_the_run_with_the_list(runner: Runner) -> None:
    runner.inventory = runner.inventory.with_name("trail")
    run = runner(str(runner.playbook))
    assert run.returncode == 1
    assert "There is no inventory" in run.stdout
    assert "trial" in run.stdout


def test_an_unknown_name_in_limit_ends_the_run_with_the_list(runner: Runner) -> None:
    run = runner(str(runner.playbook), "--limit", "north,sout")
    assert run.returncode == 2
    assert "--limit: there is no host or group sout. Did you mean south? Known: north, north-1, south" in run.stdout


@pytest.mark.parametrize("typed", [[], ["-e", "down_confirm=another"]])
def test_a_fleet_on_existing_hosts_is_torn_down_only_by_its_name(tmp_path: Path, typed: list[str]) -> None:
    runner = Runner(tmp_path, inventories.FIXTURES / "valid/existing-hosts")
    kubeconfig = runner.inventory / ".state/kubeconfigs/metal"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.touch()
    run = runner("playbooks/down.yml", *typed)
    assert run.returncode == 2
    words = "Fleet trial has hosts or clusters outside this machine. To tear it down, add: -e down_confirm=trial"
    assert words in " ".join(run.stdout.split())
    assert "PLAY [Teardown of existing hosts]" not in run.stdout
    assert kubeconfig.exists()


def test_a_first_run_names_every_host_that_does_not_answer_and_changes_nothing(tmp_path: Path) -> None:
    """Of inventories/prd, with every address led to a port of this machine that nobody listens at."""
    prd = Runner(tmp_path, inventories.ROOT / "inventories/prd")
    nodes = prd.inventory / "group_vars/nodes.yml"
    nodes.write_text("ansible_host: 127.0.0.1\nansible_port: 1\n")
    run = prd("site.yml", HCLOUD_TOKEN="none", HCLOUD_ENDPOINT="http://127.0.0.1:1")
    assert run.returncode != 0
    given = [f"{place}-{number}" for place, last in (("second", 3), ("metal", 5)) for number in range(1, last + 1)]
    silent = re.findall(r"([\w-]+): node_address: \S+ does not answer SSH", run.stdout)
    assert sorted(set(silent)) == sorted(given), run.stdout[-4000:]
    assert "changed=1" not in run.stdout
    assert [path.name for path in (prd.inventory / ".state").iterdir()] == ["lock"]


def test_workers_end_with_a_killed_run(runner: Runner, tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    task = {
        "name": "Wait",
        "ansible.builtin.debug": {"msg": f"{{{{ lookup('pipe', 'echo $PPID >{worker}; sleep 60') }}}}"},
    }
    play = {
        "name": "All",
        "hosts": "north",
        "gather_facts": False,
        "roles": ["opendata.platform.fleet"],
        "tasks": [task],
    }
    runner.playbook.write_text(yaml.safe_dump([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(runner.inventory), str(runner.playbook)]
    with subprocess.Popen(command, cwd=inventories.ROOT, stdout=subprocess.DEVNULL) as process:
        until(lambda: worker.exists() and worker.read_text().strip())
        pid = int(worker.read_text())
        assert pid != process.pid
        assert processes.alive(pid)
        process.kill()
    try:
        until(lambda: not processes.alive(pid))
    finally:
        os.killpg(pid, signal.SIGKILL)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition; fails after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
