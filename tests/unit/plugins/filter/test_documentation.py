# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Every filter has its documentation, as `ansible-doc -t filter` shows it, with the options that it has."""

import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from repository import ROOT

DIRECTORY = ROOT / "plugins/filter"
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def filters() -> dict[str, Callable[..., Any]]:
    """Every filter of the collection by name."""
    found: dict[str, Callable[..., Any]] = {}
    for path in DIRECTORY.glob("*.py"):
        module = importlib.import_module(f"ansible_collections.opendata.platform.plugins.filter.{path.stem}")
        found |= module.FilterModule().filters()
    return found


def test_every_filter_has_documentation_and_nothing_else_has() -> None:
    assert {path.stem for path in DIRECTORY.glob("*.yml")} == set(filters())


def test_options_are_the_arguments_in_their_order() -> None:
    for name, function in filters().items():
        documentation = yaml.safe_load((DIRECTORY / f"{name}.yml").read_text())["DOCUMENTATION"]
        first, *others = inspect.signature(function).parameters.values()
        arguments = [each for each in others if each.kind not in VARIADIC]
        positional = documentation.get("positional", "").replace(",", " ").split()
        assert positional == [each.name for each in arguments], (name, first)
        options = documentation["options"]
        assert [*options] == ["_input", *positional], name
        for each in arguments:
            is_required = each.default is inspect.Parameter.empty
            assert bool(options[each.name].get("required")) is is_required, (name, each.name)
            assert is_required or options[each.name].get("default") == each.default, (name, each.name)


def test_ansible_doc_shows_it() -> None:
    names = {f"opendata.platform.{name}" for name in filters()}
    program = str(Path(sys.executable).with_name("ansible-doc"))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = [program, "--json", "-t", "filter", *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=100, check=True)
    shown = json.loads(done.stdout)
    assert set(shown) == names
    for name, entry in shown.items():
        assert f"| {name}" in entry["examples"], name
        assert entry["doc"]["short_description"] and entry["return"]["_value"]["description"], name
