# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""meta/service.yml: what it may say, and that those of this collection's roles are true."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.action.fleet import service_roles
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import Service, ServiceRole, read

from repository import ROOT

UNITS = {"Mi": 1, "Gi": 1024}


def faults(declaration: Any, name: str = "acme.services.note_book") -> list[str]:
    return [
        ": ".join(filter(None, (each.variable, each.problem))) for each in read(name, ServiceRole("x", declaration))[1]
    ]


def test_defaults() -> None:
    service, found = read("acme.services.note_book", ServiceRole("acme.services.note_book", {"memory": "1Gi"}))
    assert (service, found) == (Service("acme.services.note_book", "note-book", "1Gi", [], []), [])


def test_every_key() -> None:
    whole = {"name": "notes", "memory": "1.5Gi", "requires": ["sail"], "features": ["bucket"]}
    service, found = read("notebook", ServiceRole("/roles/notebook", whole))
    assert (service, found) == (Service("/roles/notebook", "notes", "1.5Gi", ["sail"], ["bucket"]), [])


@pytest.mark.parametrize(
    ("declaration", "found"),
    [
        (None, ["does not declare itself a service"]),
        ("a: [", ["meta/service.yml is not a YAML mapping in UTF-8"]),
        ({}, ["memory: is missing"]),
        ({"memory": 1}, ["memory: 1 is not a string"]),
        ({"memory": "1 GB"}, ["memory: '1 GB' is not a quantity"]),
        ({"memory": "1Gi", "memmory": 1}, ["memmory: is not a known key"]),
        ({"memory": "1Gi", "requires": "sail"}, ["requires: 'sail' is not a list"]),
        ({"memory": "1Gi", "features": ["buckets"]}, ["features: 'buckets' is unknown"]),
        ({"memory": "1Gi", "name": "Note"}, ["name: 'Note' cannot be the name of a service"]),
        ({"memory": "1Gi", "name": "platform"}, ["name: 'platform' cannot be the name of a service"]),
    ],
)
def test_fault(declaration: Any, found: list[str]) -> None:
    assert faults(declaration) == found


@pytest.mark.parametrize("name", ["ansible", "ansible_ssh", "group", "hostvars", "inventory", "playbook", "role"])
def test_a_role_whose_variables_would_be_those_of_ansible_is_refused(name: str) -> None:
    wanted = [f"has a name that variables of Ansible begin with: {name}_"]
    assert faults({"memory": "1Gi"}, name) == faults({"memory": "1Gi"}, f"acme.services.{name}") == wanted


@pytest.mark.parametrize("name", service_roles())
def test_a_role_of_this_collection_describes_what_it_declares(name: str) -> None:
    path, role = service_roles()[name]
    service, found = read(name, role)
    assert found == [] and role.role == f"opendata.platform.{path.name}"
    release = yaml.safe_load((path / "tasks/main.yml").read_text())[0]["vars"]["service_release"]
    assert service.name == release["name"]
    assert service.requires == release.get("requires", [])
    assert service.features == [feature for feature in ("bucket", "database") if release.get(feature)]


def test_the_declared_memory_is_that_of_the_pods() -> None:
    files = {"postgres": "stores/postgres.yaml", "garage": "stores/garage.yaml", "minio": "stores/minio.yaml"}
    files["local_path_provisioner"] = "stores/local_path_provisioner.yaml"
    for name, file in files.items():
        text = (ROOT / "tests/golden/files" / file).read_text()
        pods = [
            each["spec"]["template"]["spec"] for each in yaml.safe_load_all(text) if "template" in each.get("spec", {})
        ]
        total = sum(_mebibytes(each) for pod in pods for each in pod["containers"])
        assert _quantity(read(name, service_roles()[name][1])[0].memory) == total, name


def _mebibytes(container: dict[str, Any]) -> Decimal:
    return _quantity(container["resources"]["requests"]["memory"])


def _quantity(text: str) -> Decimal:
    return Decimal(text[:-2]) * UNITS[text[-2:]]
