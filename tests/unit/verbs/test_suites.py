# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which suites a change calls for, what is refused in tests/suites.yml, and which skips fail a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import suites
from repository import ROOT

SUITES = suites.read(suites.FILE.read_text())
UNIT = "unit: {proves: logic, core: true, tests: tests/unit, minutes: 6}\n"


def called(*changed: str) -> set[str]:
    return {suite.name for suite in SUITES if suite.called_by(changed)}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("plugins/module_utils/mesh/peers/plan.py", {"mesh"}),
        ("roles/dagster/templates/dagster.yml.j2", {"platform"}),
        ("roles/cluster_k3s/tasks/main.yml", {"k3s"}),
        ("plugins/modules/cilium_clustermesh_ca.py", {"mesh"}),
        ("plugins/modules/kubeadm_node.py", {"machines", "three-clusters", "upgrade"}),
        ("docs/mesh.md", set()),
        ("README.md", set()),
    ],
)
def test_a_change_calls_for_the_suites_of_its_paths(changed: str, expected: set[str]) -> None:
    assert called(changed) == expected


def test_every_role_of_a_service_calls_for_the_suite_of_the_platform() -> None:
    roles = [path.parents[1].name for path in ROOT.glob("roles/*/meta/service.yml")]
    assert roles
    assert [role for role in roles if "platform" not in called(f"roles/{role}/tasks/main.yml")] == []


def test_a_path_without_a_file_is_refused() -> None:
    read = suites.read('mesh: {proves: mesh, tests: tests/none, minutes: 1, paths: [roles/mesh, "roles/ci*"]}\n' + UNIT)
    assert suites.problems(read, ["roles/cilium/tasks/main.yml", "tests/unit/test_docs.py"]) == [
        "mesh: no file is in roles/mesh",
        "mesh: no file is in tests/none",
    ]


def test_a_suite_that_nothing_calls_for_is_refused() -> None:
    read = suites.read("mesh: {proves: mesh, tests: tests/unit, minutes: 1}\n" + UNIT)
    assert suites.problems(read, ["tests/unit/test_docs.py"]) == ["mesh: a suite is either core or has paths"]


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(TypeError, match="minuts"):
        suites.read("mesh: {proves: mesh, minuts: 1}")


def test_over_many_commits_every_suite_comes_first() -> None:
    others = [suite for suite in SUITES if not suite.core]
    first = {suites.shuffled(others, f"{number:040x}")[0].name for number in range(200)}
    assert first == {suite.name for suite in others}


def test_every_file_of_e2e_belongs_to_a_suite() -> None:
    files = {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/e2e/test_*.py")}
    assert files == {suite.tests for suite in SUITES if suite.tests.startswith("tests/e2e")}


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "verbs/test.py", "mash"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("odp: there is no suite mash. Known: lint, unit,")


@pytest.mark.parametrize(
    ("environment", "named", "code"), [({"CI": "true"}, False, 1), ({"CI": "true"}, True, 0), ({}, False, 0)]
)
def test_a_skip_that_nobody_expected_fails_ci(
    environment: dict[str, str], named: bool, code: int, tmp_path: Path
) -> None:
    """With the hooks of tests/conftest.py in a tree of its own."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tmp_path / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    (tests / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tests / "test_one.py").write_text("import pytest\n\ndef test_one():\n    pytest.skip('no moon')\n")
    expected = [{"tests": "tests/test_one.py", "reason": "no moon", "needs": "a moon"}] if named else []
    (tests / "skips.yml").write_text(yaml.safe_dump(expected))
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert ("tests/skips.yml does not name it: tests/test_one.py::test_one: Skipped: no moon" in done.stdout) == bool(
        code
    )
