# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pages match the code; UPDATE_GOLDEN=1 writes the tables of variables into docs/inventory.md."""

import os
import re
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.fleet.schema import plain

from repository import ROOT

SERVICE = "name: opendata.platform.service\n"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


PREFIXES = ("cluster", "node", "platform")


def options(prefix: str) -> dict[str, Any]:
    """The variables of an inventory with this prefix, as the argument specs of role fleet describe them."""
    specs = yaml.safe_load((ROOT / "roles/fleet/meta/argument_specs.yml").read_text())
    found: dict[str, Any] = specs["argument_specs"][prefix]["options"]
    return found


def table(prefix: str) -> str:
    """The same as a table in Markdown."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for name, option in options(prefix).items():
        default = option.get("default")
        shown = str(default).lower() if isinstance(default, bool) else default
        cell = "required" if option.get("required") else "none" if default in ("", []) else f"`{shown}`"
        text = re.sub(r"\b[CVO]\(([^)]*)\)", r"`\1`", " ".join(option["description"]))
        values = f" One of {', '.join(f'`{each}`' for each in option['choices'])}." if "choices" in option else ""
        rows.append(f"| `{name}` | {cell} | {text}{values} |")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_tables_of_the_inventory_are_those_of_the_argument_specs(prefix: str) -> None:
    page = ROOT / "docs/inventory.md"
    marked = re.compile(rf"(<!-- variables: {prefix} -->\n).*?(<!-- end -->\n)", re.DOTALL)
    wanted = marked.sub(lambda match: match[1] + table(prefix) + match[2], page.read_text())
    assert marked.search(wanted)
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted, "UPDATE_GOLDEN=1 updates the tables"


def test_descriptions_lose_their_markup_in_messages() -> None:
    assert plain("V(oci) or C(a:b), IO(x)") == "oci or a:b, IO(x)"


def variables() -> dict[str, object]:
    """Every variable that an inventory may set, with its default."""
    found: dict[str, object] = {}
    for prefix in PREFIXES:
        found |= {name: option.get("default") for name, option in options(prefix).items()}
    for path in (ROOT / "roles").glob("*/defaults/main.yml"):
        found |= yaml.safe_load(path.read_text()) or {}
    # One row stands for the values of every service.
    services = {path.parts[-3] for path in (ROOT / "roles").glob("*/tasks/main.yml") if SERVICE in path.read_text()}
    return {name: default for name, default in found.items() if name.removesuffix("_values") not in services}


def test_the_page_of_the_inventory_names_every_variable_and_no_other() -> None:
    text = (ROOT / "docs/inventory.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert set(rows) == set(variables())
    for name, default in variables().items():
        if isinstance(default, str | int) and default not in ("", 0):
            assert rows[name] == f"`{str(default).lower() if isinstance(default, bool) else default}`", name


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https://)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_names_every_verb_and_every_service_in_150_lines() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    verbs = re.findall(r"^(\w+)[^\n:=]*:$", (ROOT / "justfile").read_text(), re.MULTILINE)
    for verb in set(verbs) - {"list"}:
        assert f"`./odp {verb}" in readme, verb
    services = [path.parts[-3] for path in (ROOT / "roles").glob("*/meta/service.yml")]
    assert services
    for role in services:
        assert f"`{role}`" in readme, role


def test_readme_has_the_versions_that_are_installed() -> None:
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([\d.]+) \| `(\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE)
    found = yaml.safe_load((ROOT / "roles/artifacts/defaults/main.yml").read_text())["artifacts_versions"]
    for version, role in rows:
        assert version == found[{"data_path": "pipelines"}.get(role, role)], role
    assert len(rows) >= 8


def test_architecture_names_every_role() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for role in (ROOT / "roles").iterdir():
        assert f"`{role.name}`" in page, role.name


def test_proof_names_tests_that_exist() -> None:
    page = (ROOT / "docs/proof.md").read_text()
    paths = re.findall(r"`((?:tests|molecule)/[^`]+)`", page)
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path
    for row in re.findall(r"^\| .+ \|$", page, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == 4 and cells[1] != "proof":
            capability, proof, where, when = cells
            # What was proven names the test and when it ran; what was not may name the test that would.
            assert bool(when) != proof.startswith("not run"), capability
            assert where or proof.startswith("not run"), capability
