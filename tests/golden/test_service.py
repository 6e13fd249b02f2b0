# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The tree and the Secrets of a small set of services: on the local platform, and with gateway and operators."""

import os
import shutil

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import manifest_checks
from ansible_collections.opendata.platform.plugins.module_utils.service import secrets as service_secrets

import render
import service_examples

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=service_examples.CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


def test_tree(case: str) -> None:
    made = service_examples.manifests(*service_examples.case(case))
    place = render.GOLDEN / "service" / case / "tree"
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(place, ignore_errors=True)
    for path, text in made["files"].items():
        render.assert_golden(f"service/{case}/tree/{path}", text)
    kept = {str(path.relative_to(place)) for path in place.rglob("*.yaml")}
    assert kept == set(made["files"]), "golden files that nothing renders any more: UPDATE_GOLDEN=1 removes them"


def test_secrets(case: str) -> None:
    made = service_examples.manifests(*service_examples.case(case))
    secrets = service_secrets.secrets(made["secrets"], KEY, "north")
    render.assert_golden(f"service/{case}/secrets.yaml", yaml.safe_dump_all(secrets, sort_keys=False))


def test_the_whole_tree_passes_the_scans(case: str) -> None:
    files = service_examples.manifests(*service_examples.case(case))["files"]
    assert [str(finding) for finding in manifest_checks.tree(files)] == []


def test_same_input_same_bytes_in_any_order(case: str) -> None:
    releases, context = service_examples.case(case)
    first = service_examples.manifests(releases, context)
    second = service_examples.manifests(releases[::-1], context)
    assert [*first["files"].items()] == [*second["files"].items()]
    assert first == second
