# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The collection as its users get it: built, installed elsewhere, read with ansible-doc."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from repository import ROOT

BIN = Path(sys.executable).parent
ROLES = sorted(f"opendata.platform.{path.name}" for path in (ROOT / "roles").iterdir())
MODULES = sorted(f"opendata.platform.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py"))
UNWANTED = (
    ".venv",
    ".git",
    ".state",
    ".collections",
    "tests",
    "molecule",
    "benchmarks",
    "verbs",
    "odp",
    ".ci",
    "build",
    "clusters",
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds nothing but the installed collection."""
    place = tmp_path_factory.mktemp("elsewhere")
    run(place, "ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(place))
    [archive] = place.glob("opendata-platform-*.tar.gz")
    run(place, "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", str(place), str(archive))
    return place


def run(place: Path, *command: str) -> str:
    """Output of an Ansible program that knows only the collections below `place`."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(place)}
    environment.pop("ANSIBLE_CONFIG")
    program = [str(BIN / command[0]), *command[1:]]
    done = subprocess.run(program, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_archive_holds_what_a_user_needs_and_no_more(elsewhere: Path) -> None:
    [archive] = elsewhere.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {member.name for member in files.getmembers() if member.isfile()}
    assert {"README.md", "LICENSE", "meta/runtime.yml", "playbooks/site.yml", "plugins/callback/report.py"} <= names
    assert [name for name in names if name.split("/")[0] in UNWANTED or "/.state/" in name] == []
    assert [name for name in names if name.endswith(".pyc")] == []
    # Pages and metadata, no program of a clone.
    for directory, suffixes in (("docs", {".md", ".svg", ".png", ".yml"}), ("meta", {".yml", ".txt"})):
        found = {Path(name).suffix for name in names if name.startswith(f"{directory}/")}
        assert found and found <= suffixes
    assert {"CHANGELOG.rst", "CONTRIBUTING.md", "SECURITY.md", "meta/execution-environment.yml"} <= names


def test_every_role_and_module_can_be_read_about(elsewhere: Path) -> None:
    modules = json.loads(run(elsewhere, "ansible-doc", "--json", *MODULES))
    assert sorted(modules) == MODULES
    roles = json.loads(run(elsewhere, "ansible-doc", "--json", "-t", "role", *ROLES))
    assert sorted(roles) == ROLES


def test_callback_can_be_read_about(elsewhere: Path) -> None:
    assert "status_file" in run(elsewhere, "ansible-doc", "-t", "callback", "opendata.platform.report")


def test_playbooks_are_found_by_their_full_names(elsewhere: Path) -> None:
    listed = run(
        elsewhere, "ansible-playbook", "opendata.platform.site", "-i", str(ROOT / "inventories/local"), "--list-tasks"
    )
    for stage in ("Preflight of the fleet", "Artifacts", "Machines", "Clusters", "Network", "Status"):
        assert f": {stage}" in listed


def test_every_ignored_sanity_finding_has_a_reason() -> None:
    [ignores] = (ROOT / "tests/sanity").glob("ignore-*.txt")
    for line in ignores.read_text().splitlines():
        assert " # " in line, line
