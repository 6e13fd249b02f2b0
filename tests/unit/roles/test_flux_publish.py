# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Role flux by ansible-playbook: trees of two clusters in one repository, and encrypted Secrets of an inventory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import git_clones
import render
from repository import ROOT

FIXTURES = ROOT / "tests/fixtures/secrets"
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "postgres"}}


@pytest.fixture
def clone(tmp_path: Path) -> git_clones.Clone:
    """A repository that holds the inventory of fleet `git`."""
    made = git_clones.Clone(tmp_path / "clone", git_clones.bare(tmp_path / "fleet.git")).push_first()
    (made.place / "inventories/git/secrets").mkdir(parents=True)
    (made.place / "inventories/git/.state").mkdir()
    return made


def play(clone: git_clones.Clone, entry: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One run of tasks of role flux, on clusters north and south that are not made yet."""
    directory = clone.place / "inventories/git"
    fleet = render.fleet("git") | {"directory": str(directory), "state": str(directory / ".state")}
    fleet["platform"] |= {"git_branch": "main"}
    north = fleet["clusters"]["north"] | {"kubeconfig": str(directory / ".state/none")}
    fleet["clusters"] = {
        name: north | {"name": name, "tree_path": f"./clusters/git/{name}"} for name in ("north", "south")
    }
    variables: dict[str, Any] = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "fleet": fleet,
        "mirror": {"registry": "", "files": "", "push": "127.0.0.1:1"},
        "artifacts": {"files": {"cilium_chart": {"version": "1.20.2"}}},
        "flux_tree": {"platform/team.yaml": "kind: Kustomization\n"},
        "flux_secrets": [SPACE],
    }
    task = {"ansible.builtin.include_role": {"name": "opendata.platform.flux", "tasks_from": entry}}
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": [task]}
    path = clone.place.with_name("play.yml")
    path.write_text(yaml.safe_dump([book]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "north,south", str(path), *options]
    return subprocess.run(command, cwd=clone.place, env=environment, capture_output=True, text=True, check=False)


def test_two_clusters_push_to_one_branch(clone: git_clones.Clone) -> None:
    before = clone.state()
    planned = play(clone, "publish", "--check", "--diff")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "+kind: Kustomization" in planned.stdout and clone.state() == before
    made = play(clone, "git")
    assert made.returncode == 0 and made.stdout.count("changed=1") == 2, made.stdout + made.stderr
    assert clone.git("log", "--format=%s", "-2").splitlines() == ["Deliver git/south", "Deliver git/north"]
    names = ["platform/cilium.yaml", "platform/team.yaml", "services/cilium/manifests.yaml"]
    assert clone.names("clusters/git/north") == clone.names("clusters/git/south") == names
    after = clone.state()
    assert after["head"] == after["remote"] and after["status"] == before["status"]
    again = play(clone, "git")
    assert again.returncode == 0 and again.stdout.count("changed=0") == 2, again.stdout
    assert clone.state() == after


def test_encrypted_secrets_of_the_inventory_are_in_the_tree(clone: git_clones.Clone) -> None:
    directory = clone.place / "inventories/git"
    shutil.copy(FIXTURES / "warehouse.sops.yaml", directory / "secrets")
    refused = play(clone, "publish", "--check")
    assert refused.returncode != 0
    assert f"there is no age key to decrypt them. Run age-keygen -o {directory}/.state/age.key" in refused.stdout
    shutil.copy(FIXTURES / "only-for-tests.age.key", directory / ".state/age.key")
    planned = play(clone, "publish", "--check", "--diff")
    assert planned.returncode == 0, planned.stdout
    assert "+  name: secrets" in planned.stdout and "AGE-SECRET-KEY" not in planned.stdout + planned.stderr
    assert play(clone, "git").returncode == 0
    made = clone.place / "clusters/git/north/services/secrets/warehouse.sops.yaml"
    assert made.read_bytes() == (FIXTURES / "warehouse.sops.yaml").read_bytes()
    (directory / "secrets/north").mkdir()
    (directory / "secrets/north/plain.sops.yaml").write_text("kind: Secret\n")
    refused = play(clone, "publish", "--check")
    assert f"{directory}/secrets/north/plain.sops.yaml: is not encrypted" in refused.stdout
    assert "south" in refused.stdout and "south/plain" not in refused.stdout
