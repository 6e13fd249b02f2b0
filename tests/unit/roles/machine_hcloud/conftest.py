# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs of the role alone against the stand-in for Hetzner Cloud, whose every exchange is held against the contract."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import ROOT
from standins.hcloud import contract
from standins.hcloud.server import TOKEN, StandIn

API = "203.0.113.201"
PLAYBOOK = """
- name: Role machine_hcloud against a stand-in
  hosts: nodes
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  roles:
    - opendata.platform.fleet
  tasks:
    - name: The entry point
      ansible.builtin.include_role:
        name: opendata.platform.machine_hcloud
        tasks_from: "{{ entry }}"
    - name: What later plays need is told
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} planned={{ node_planned }} host={{ ansible_host }}"
      when: node_planned is defined
"""


@dataclass
class Done:
    """How a run ended: its return code, all that it printed, and for each host its counts."""

    code: int
    text: str
    stats: dict[str, dict[str, int]]

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.stats.values())


class Site:
    """A fleet in a directory, and its project at the stand-in."""

    def __init__(self, directory: Path, stand_in: StandIn) -> None:
        self.directory, self.stand_in = directory / "prd", stand_in
        self.ssh_log = directory / "ssh.log"
        self.headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.directory.mkdir()
        (directory / "play.yml").write_text(PLAYBOOK)
        (directory / "ansible.cfg").write_text("[defaults]\nnocows = true\n[connection]\npipelining = true\n")
        self.cluster: dict[str, Any] = {"cluster_provider": "kubeadm", "cluster_endpoint": f"{API}:6443"}
        self.machines: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {
            "machine_hcloud_operators": ["198.51.100.0/24"],
            "machine_hcloud_token": TOKEN,
            "ansible_ssh_executable": str(ROOT / "tests/standins/ssh/stand_in_ssh"),
        }

    def add(self, name: str, address: str, role: str = "control_plane", **more: Any) -> None:
        self.machines[name] = {"node_address": address, "node_role": role, **more}

    def run(self, *arguments: str, entry: str = "main") -> Done:
        """ansible-playbook with the role's entry point."""
        nodes = {"node_cluster": "hz", "node_machine": "hcloud", **self.variables}
        inventory = {
            "clusters": {"hosts": {"hz": self.cluster}},
            "nodes": {"hosts": self.machines, "vars": nodes},
        }
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(inventory))
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                "-vvv",
                "-i",
                str(self.directory),
                "-e",
                f"entry={entry}",
                *arguments,
                str(self.directory.parent / "play.yml"),
            ],
            cwd=self.directory.parent,
            env={
                **os.environ,
                "HCLOUD_ENDPOINT": self.stand_in.url,
                "PYTHONPATH": str(ROOT / "tests/standins/short_sleeps"),
                "STAND_IN_SSH_LOG": str(self.ssh_log),
                "ANSIBLE_CONFIG": str(self.directory.parent / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        # For who looks into a failure.
        (self.directory.parent / "last.txt").write_text(text)
        assert TOKEN not in text
        assert "PRIVATE KEY" not in text
        return Done(done.returncode, text, _recap(text))


def _recap(text: str) -> dict[str, dict[str, int]]:
    """The counts of PLAY RECAP."""
    lines = [line for line in text.partition("PLAY RECAP")[2].splitlines()[1:] if "ok=" in line]
    pairs = {line.split(":")[0].strip(): line.split(":")[1].split() for line in lines}
    return {host: {word.split("=")[0]: int(word.split("=")[1]) for word in words} for host, words in pairs.items()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A fleet prd with a cluster hz and no machine yet."""
    with StandIn() as stand_in:
        yield Site(tmp_path, stand_in)
    assert contract.findings(stand_in.exchanges) == []
