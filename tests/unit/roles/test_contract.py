# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What every role and module of the collection owes its reader."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import ROOT

# No options of role fleet: they describe the variables of an inventory, whose defaults module fleet fills in.
DESCRIBING = {"fleet": {"cluster", "node", "platform"}}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
MODULES = sorted((ROOT / "plugins/modules").glob("*.py"))


def load(path: Path) -> Any:
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


def specs(role: str) -> dict[str, Any]:
    """The entry points that have tasks."""
    found = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return {entry: spec for entry, spec in found.items() if entry not in DESCRIBING.get(role, ())}


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_equal_the_defaults(role: str) -> None:
    entries = specs(role)
    options = {name: option for entry in entries.values() for name, option in (entry.get("options") or {}).items()}
    defaults = load(ROOT / "roles" / role / "defaults/main.yml")
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    for entry in entries.values():
        for name, option in (entry.get("options") or {}).items():
            assert option.get("default") == defaults.get(name), name


@pytest.mark.parametrize("role", ROLES)
def test_each_entry_point_is_a_task_file_and_described(role: str) -> None:
    for entry, spec in specs(role).items():
        assert (ROOT / "roles" / role / "tasks" / f"{entry}.yml").exists(), entry
        assert spec.get("short_description"), entry
        assert all(option.get("description") for option in (spec.get("options") or {}).values()), entry


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_carry_the_roles_name(role: str) -> None:
    names = load(ROOT / "roles" / role / "defaults/main.yml")
    assert [name for name in names if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_role_says_who_made_it_and_under_which_licence(role: str) -> None:
    galaxy = load(ROOT / "roles" / role / "meta/main.yml").get("galaxy_info", {})
    assert galaxy.get("license") == "Apache-2.0"
    assert galaxy.get("description")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_documented_and_knows_check_mode(path: Path) -> None:
    text = path.read_text()
    found = {
        target.id: yaml.safe_load(node.value.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    assert set(found) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    assert found["DOCUMENTATION"]["module"] == path.stem
    reads = "opendata.platform.reads" in found["DOCUMENTATION"].get("extends_documentation_fragment", [])
    assert reads or {"check_mode", "diff_mode"} <= set(found["DOCUMENTATION"]["attributes"])
    assert all(f"opendata.platform.{path.stem}" in task for task in found["EXAMPLES"])
    action = ROOT / "plugins/action" / path.name
    # The base class of modules supports it.
    is_module = re.search(r" = (Cluster|Controller)?Module\(", text)
    assert is_module or (action.exists() and "check_mode" in action.read_text())
