# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Renders a role's templates as Ansible would and compares with the golden files beside the test.

UPDATE_GOLDEN=1 rewrites them; a review then sees the effect of a change.
"""

import os
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe

import inventories

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "files"


def fleet(name: str) -> dict[str, Any]:
    """The fleet record of tests/fixtures/valid/<name>/hosts.yml, in a directory /fleet/<name>."""
    record, findings = describe(inventories.load("valid", name))
    assert [str(found) for found in findings if found.is_error] == []
    return record


def render(role: str, template: str, **variables: Any) -> str:
    """Text of roles/<role>/templates/<template> with the role's defaults, its vars and `variables`."""
    text = (ROOT / "roles" / role / "templates" / template).read_text()
    overrides = {"trim_blocks": True}
    templar = templar_of(role, variables)
    return str(templar.template(trust_as_template(text), escape_backslashes=False, overrides=overrides))


def value(role: str, name: str, **variables: Any) -> Any:
    """What a variable of the role is."""
    return templar_of(role, variables).template(trust_as_template(f"{{{{ {name} }}}}"))


def templar_of(role: str, variables: dict[str, Any]) -> Templar:
    """Ansible's templates with the role's defaults, its vars and `variables`."""
    loader = DataLoader()
    # What a template includes lies beside it.
    loader.set_basedir(str(ROOT / "roles" / role / "templates"))
    everything: dict[str, Any] = {}
    for kind in ("defaults", "vars"):
        source = ROOT / "roles" / role / kind / "main.yml"
        if source.exists():
            everything |= loader.load_from_file(str(source), trusted_as_template=True) or {}
    return Templar(loader=loader, variables=everything | variables)


def assert_golden(name: str, text: str) -> None:
    """`text` equals tests/golden/files/<name>."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path.relative_to(ROOT)} is missing: UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text(), (
        f"{path.relative_to(ROOT)} differs: UPDATE_GOLDEN=1 rewrites it if the change is intended"
    )
