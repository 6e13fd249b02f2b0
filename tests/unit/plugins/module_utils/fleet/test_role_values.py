# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Values of roles' variables, beside those in tests/fixtures/invalid."""

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe

import inventories

SPEC = {
    "type": "dict",
    "description": "A key.",
    "options": {"name": {"type": "str", "required": True}, "bits": {"type": "int"}},
}


def errors(option: dict[str, Any], value: Any) -> list[str]:
    """The errors about variable note_book_key of a role with this option."""
    inventory = inventories.load("valid", "dev")
    clusters = {"dev": {**inventory.clusters["dev"], "note_book_key": value}}
    options = {"note_book": {"note_book_key": option}}
    roles = {**inventory.roles, "note_book": {"note_book_key": None}}
    findings = describe(replace(inventory, clusters=clusters, roles=roles, options=options, files={}))[1]
    return [str(each).removeprefix("dev: note_book_key: ") for each in findings]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (SPEC, {"name": "a", "bits": 7}, []),
        (SPEC, {"name": "a", "bits": "7"}, []),
        ({"type": "int"}, "5000", []),
        ({"type": "bool"}, "yes", []),
        ({"type": "list"}, None, []),
        ({"description": "A text."}, 7, []),
        ({"type": "dict", "options": []}, {}, []),
        ({"type": "bool"}, "hidden", ["is not true or false (the inventory). Set it to true or false."]),
        (
            {"type": "bytes"},
            "hidden",
            ["is not a value of type bytes (the inventory). Set it to a value of type bytes."],
        ),
        ({"type": "float"}, ["hidden"], ["is not a number (the inventory). Set it to a number."]),
        (
            {"type": "str", "choices": ["small", "large"]},
            "smal",
            ["'smal' is unknown (the inventory). Did you mean small? Known: large, small."],
        ),
        (
            SPEC,
            {"nmae": "hidden"},
            [
                "is not valid: missing required arguments: name found in note_book_key (the inventory). "
                "Its description: ansible-doc -t role note_book",
                "is not valid: note_book_key.nmae. Supported parameters include: bits, name. (the inventory). "
                "Its description: ansible-doc -t role note_book",
            ],
        ),
        (
            SPEC,
            {"name": "a", "bits": "hidden"},
            ["contains a value of the wrong type (the inventory). Its description: ansible-doc -t role note_book"],
        ),
        (
            {"type": "list", "elements": "int"},
            ["hidden"],
            ["contains a value of the wrong type (the inventory). Its description: ansible-doc -t role note_book"],
        ),
    ],
)
def test_a_value_is_what_the_argument_specs_say(option: dict[str, Any], value: Any, expected: list[str]) -> None:
    assert errors(option, value) == expected
