# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the action reads of roles, and the state directory that it creates."""

import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.opendata.platform.plugins.action.fleet import make_state, role_options, service_roles
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import read

SPECS = "meta/argument_specs.yml is not YAML with entry points and their options, in UTF-8"


def faults(place: Path, declaration: bytes, specs: bytes = b"") -> list[str]:
    """What is refused of a role `notes` beside the playbook with these files."""
    (place / "notes/meta").mkdir(parents=True)
    (place / "notes/meta/service.yml").write_bytes(declaration)
    (place / "notes/meta/argument_specs.yml").write_bytes(specs)
    path, role = service_roles(["notes"], [place])["notes"]
    assert role_options([path]).keys() == {"notes"}
    return [each.problem for each in read("notes", role)[1]]


@pytest.mark.parametrize("text", [b"memory: 1Gi # \xe9", b"a: [", b"- a", b"memory: 2024-99-99"])
def test_a_declaration_that_cannot_be_read_is_a_finding(tmp_path: Path, text: bytes) -> None:
    assert faults(tmp_path, text) == ["meta/service.yml is not a YAML mapping in UTF-8"]


@pytest.mark.parametrize(
    "text",
    [
        b"argument_specs: [",
        b"# \xe9",
        b"- a",
        b"argument_specs: [a]",
        b"argument_specs: {main: [a]}",
        b"argument_specs: {main: {options: [a]}}",
        b"argument_specs: {main: {options: {a: str}}}",
    ],
)
def test_argument_specs_that_cannot_be_read_are_a_finding(tmp_path: Path, text: bytes) -> None:
    assert faults(tmp_path, b"memory: 1Gi", text) == [SPECS]


@pytest.mark.parametrize(
    "text", [b"", b"argument_specs:", b"argument_specs: {main: }", b"argument_specs: {a: {options: }}"]
)
def test_empty_argument_specs_have_no_options(tmp_path: Path, text: bytes) -> None:
    assert faults(tmp_path, b"memory: 1Gi", text) == []


def test_the_state_directory_is_for_its_user_only(tmp_path: Path) -> None:
    state = tmp_path / ".state"
    state.mkdir(mode=0o755)
    make_state("trial", state)
    assert state.stat().st_mode & 0o777 == 0o700


def test_a_file_in_place_of_the_state_directory_is_a_finding(tmp_path: Path) -> None:
    state = tmp_path / ".state"
    state.touch()
    with pytest.raises(AnsibleActionFail) as caught:
        make_state("trial", state)
    assert str(caught.value).endswith(
        f"trial: the state directory cannot be created: {os.strerror(17)} ({state}). "
        f"Make {tmp_path} writable for this user, and remove {state} if it is not a directory."
    )
