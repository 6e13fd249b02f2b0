# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What roles, playbooks and scenarios include or import exists; a name with a template leads to at least one file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import ROOT

PLACES = ("roles/*/tasks/**/*.yml", "roles/*/handlers/*.yml", "playbooks/**/*.yml", "molecule/**/*.yml", "site.yml")
FILES = sorted(path for place in PLACES for path in ROOT.glob(place))
COLLECTION = "opendata.platform."
KINDS = ("include", "import")


class Loader(yaml.SafeLoader):
    """Reads !vault and its like as None."""


Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a file: plays, blocks and tasks, and what is in them."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from tasks(each)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=Loader)


def targets(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Names that a file includes or imports, with the patterns below ROOT of which one must match."""
    here = path.parent.relative_to(ROOT)
    role = ["roles", path.relative_to(ROOT).parts[1], "tasks"] if here.parts[:1] == ("roles",) else []
    for task in tasks(load(path)):
        for key, value in task.items():
            kind = str(key).removeprefix("ansible.builtin.")
            if kind in ("include_tasks", "import_tasks"):
                name = value if isinstance(value, str) else value["file"]
                yield name, [f"{here}/{name}", *(["/".join([*role, name])] if role else [])]
            elif kind in ("include_role", "import_role"):
                name, entry = value["name"], value.get("tasks_from", "main").removesuffix(".yml")
                yield f"{name} {entry}", [f"roles/{name.removeprefix(COLLECTION)}/tasks/{entry}.yml"]
            elif kind == "import_playbook":
                own = value.startswith(COLLECTION)
                yield value, [f"playbooks/{value.removeprefix(COLLECTION)}.yml" if own else f"{here}/{value}"]
            elif kind == "roles" and isinstance(value, list):
                for each in value:
                    name = each if isinstance(each, str) else each.get("role", each.get("name"))
                    yield name, [f"roles/{name.removeprefix(COLLECTION)}/tasks/main.yml"]


def exists(pattern: str) -> bool:
    """Whether a file matches; a template stands for anything within its folder."""
    parts = Path(re.sub(r"\{\{.*?\}\}", "*", pattern)).parts
    return any(ROOT.glob("/".join(parts))) if ".." not in parts else (ROOT / pattern).resolve().exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_file_includes_exists(path: Path) -> None:
    assert [name for name, patterns in targets(path) if not any(map(exists, patterns))] == []


# Playbooks of hosts in these groups include the roles of these providers.
PROVIDERS = {"nodes": ["kubeadm", "k3s"], "clusters": ["kind", "existing"]}
OPERATIONS = [path for path in FILES if path.parent == ROOT / "playbooks"]


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_an_operation_exists_for_each_provider_or_names_those_that_have_it(path: Path) -> None:
    missing = []
    for play in load(path):
        for task in tasks(play):
            role = task.get("ansible.builtin.include_role", {})
            if role.get("name", "").startswith(f"{COLLECTION}cluster_{{{{"):
                entry, condition = role.get("tasks_from", "main"), str(task.get("when", ""))
                known = PROVIDERS[play["hosts"]]
                named = [each for each in known if f"'{each}'" in condition] or known
                files = [f"roles/cluster_{each}/tasks/{entry}.yml" for each in named]
                missing += [file for file in files if not (ROOT / file).exists()]
    assert missing == []


def test_stages_leave_the_validation_of_roles_to_the_preflight() -> None:
    """Each validation is a task; the module fleet has checked the same variables by the same argument specs."""
    stages = [ROOT / "playbooks" / name for name, _ in targets(ROOT / "playbooks/site.yml")]
    found = [task for path in [*stages, ROOT / "playbooks/tasks/load_facts.yml"] for task in tasks(load(path))]
    uses = [
        task[f"ansible.builtin.{kind}_role"]
        for task in found
        for kind in KINDS
        if f"ansible.builtin.{kind}_role" in task
    ]
    assert len(uses) > 20 and [each["name"] for each in uses if "rolespec_validate" not in each] == []
    assert [task["roles"] for task in found if task.get("roles")] == []


def test_includes_of_each_kind_are_found() -> None:
    found = " ".join(name for path in FILES for name, _patterns in targets(path))
    for name in (
        "preflight.yml",
        f"{COLLECTION}service tree",
        f"{COLLECTION}preflight",
        f"{COLLECTION}fleet",
        "engine",
    ):
        assert name in found
