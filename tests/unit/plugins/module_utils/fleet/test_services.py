# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which roles cluster_services takes, beside those in tests/fixtures/invalid."""

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import ServiceRole

import inventories


def record(*names: str, **roles: Any) -> tuple[dict[str, Any], list[str]]:
    """The cluster with these services, and the errors; `roles` are declarations in collection acme.services."""
    inventory = inventories.load("valid", "dev")
    foreign = {f"acme.services.{name}": ServiceRole(f"acme.services.{name}", own) for name, own in roles.items()}
    clusters = {"dev": {**inventory.clusters["dev"], "cluster_services": [*names]}}
    fleet, findings = describe(
        replace(inventory, clusters=clusters, services={**inventory.services, **foreign}, files={})
    )
    errors = [str(each) for each in findings if each.is_error]
    return fleet["clusters"]["dev"], [each.removeprefix("dev: cluster_services: ") for each in errors]


def test_a_role_of_another_collection_is_a_service_of_its_name() -> None:
    own = {"memory": "1Gi", "requires": ["sail"], "features": ["database"]}
    wanted = ["opendata.platform.postgres", "garage", "sail", "acme.services.note_book"]
    cluster, errors = record(*wanted, note_book=own)
    assert errors == []
    assert cluster["services"] == ["postgres", "garage", "sail", "acme.services.note_book"]
    assert [each["name"] for each in cluster["service_roles"]] == ["postgres", "garage", "sail", "note-book"]
    assert cluster["service_roles"][3] == {"role": "acme.services.note_book", "name": "note-book", **own}


def test_variables_of_ansible_are_not_those_of_a_role() -> None:
    inventory = inventories.load("valid", "dev")
    own = {**inventory.clusters["dev"], "inventory_dir": "/fleet", "ansible_host": "dev", "inventory_sze": 1}
    roles = {**inventory.roles, "inventory": {}, "ansible": {}}
    findings = describe(replace(inventory, clusters={"dev": own}, roles=roles))[1]
    assert [each.variable for each in findings] == ["inventory_sze"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["opendata.platform.postgres", "postgres"],
            "'postgres' is listed twice (the inventory). Remove one of them.",
        ),
        (
            ["acme.services.notebok"],
            "there is no service role 'acme.services.notebok' (the inventory). Did you mean acme.services.notebook?",
        ),
        (
            ["acme.tools.notebook"],
            "there is no service role 'acme.tools.notebook' (the inventory). "
            "Correct the name, or install the collection: ansible-galaxy collection install acme.tools",
        ),
        (
            ["acme.services.plain"],
            "role 'acme.services.plain' does not declare itself a service (the inventory). "
            "Add meta/service.yml to the role, such as 'memory: 256Mi', or remove the role from cluster_services.",
        ),
        (
            ["acme.services.broken"],
            "role 'acme.services.broken', meta/service.yml: memory is missing (the inventory). Set it to a string.",
        ),
        (
            ["acme.services.notebook", "acme.services.twin"],
            "roles acme.services.notebook and acme.services.twin both declare service 'notebook' (the inventory). "
            "Remove one, or set another name in meta/service.yml of one of them.",
        ),
        (
            ["acme.services.needy"],
            "service needy requires sail, which is not listed (the inventory). Add it, or remove needy. Known: needy.",
        ),
        (
            ["acme.services.store"],
            "service store requires garage, which is not listed (the inventory). "
            "Add it, or remove store. Known: store.",
        ),
    ],
)
def test_fault(names: list[str], words: str) -> None:
    roles = {
        "notebook": {"memory": "1Gi"},
        "twin": {"memory": "1Gi", "name": "notebook"},
        "plain": None,
        "broken": {},
        "needy": {"memory": "1Gi", "requires": ["sail"]},
        "store": {"memory": "1Gi", "features": ["bucket"]},
    }
    [found] = record(*names, **roles)[1]
    assert found.startswith(words)
