# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the verbs read of a cluster's services: ConfigMap platform-services of the tree."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import catalogue

import service_examples
from service_examples import CONTEXT, charts, manifests, notebook, provider

ROUTE = {"port": 8888, "service": "hub", "host": "nb", "sso": "native"}
HUB = service_examples.NOTEBOOK.replace("name: notebook\nspec:\n  selector: {app", "name: hub\nspec:\n  selector: {app")
HUB = HUB.replace("port: 80,", "port: 8888,")


def listed(*releases: dict[str, Any], **context: Any) -> dict[str, dict[str, Any]]:
    """Entries by name, as the verbs read them out of the tree."""
    made = manifests([*releases], {**CONTEXT, "waiting": {}, **context})
    [found] = yaml.safe_load_all(made["files"]["platform/platform-services.yaml"])
    assert (found["kind"], found["metadata"]) == (
        "ConfigMap",
        {"name": "platform-services", "namespace": "flux-system"},
    )
    return {each["name"]: each for each in catalogue.entries(found)}


def test_each_service_is_there_with_its_route() -> None:
    found = listed(notebook(HUB, namespace="notes", route=ROUTE), provider("postgres"))
    assert [*found] == ["notebook", "postgres"]
    whole = {"namespace": "notes", "service": "hub", "port": 8888, "host": "nb"}
    assert whole.items() <= found["notebook"].items()
    none = {"namespace": "postgres", "service": "", "port": 0, "host": ""}
    assert none.items() <= found["postgres"].items()


def test_the_version_is_the_charts_or_the_images() -> None:
    found = listed(*charts(), notebook(), provider("postgres"), provider("nameless"))
    assert {name: each["version"] for name, each in found.items()} == {
        "cloudnative-pg": "0.29.0",
        "nameless": "",
        "notebook": "1.2.3",
        "postgres": "1.2.3",
        "spark-operator": "2.5.2",
    }
    images = {"notebook": "localhost:5000/notebook@sha256:aa", "postgres": "localhost:5000/x/postgres:17"}
    found = listed(notebook(), provider("postgres"), images=images)
    assert [each["version"] for each in found.values()] == ["", "17"]


def test_what_cannot_be_had_is_in_the_list_with_its_reason() -> None:
    found = listed(provider("postgres"), waiting={"gateway": "there is no image of it"})
    assert found["gateway"] == {"name": "gateway", "waiting": "there is no image of it"}


@pytest.mark.parametrize(
    ("secrets", "person"),
    [
        ({"admin": {"username": "root", "password": {"length": 24}}}, ("root", "notebook-admin", "password")),
        ({"admin": {"username": {"length": 24}, "password": {"length": 24}}}, ("", "", "")),
        ({"admin": {"username": "root", "token": {"length": 24}}}, ("", "", "")),
        ({"admin": {"password": {"length": 24}}}, ("", "", "")),
        ({"other": {"username": "root", "password": {"length": 24}}}, ("", "", "")),
        ({}, ("", "", "")),
    ],
)
def test_a_person_is_named_only_with_name_and_password(secrets: dict[str, Any], person: tuple[str, str, str]) -> None:
    found = listed(notebook(secrets=secrets))["notebook"]
    assert (found["user"], found["secret"], found["key"]) == person


@pytest.mark.parametrize(
    ("context", "url"),
    [
        ({"gateway": False, "issuer": "letsencrypt"}, ""),
        ({"gateway": True, "issuer": ""}, "http://nb.example.org"),
        ({"gateway": True, "issuer": "letsencrypt"}, "https://nb.example.org"),
    ],
)
def test_an_address_is_told_only_where_a_gateway_serves_it(context: dict[str, Any], url: str) -> None:
    found = listed(notebook(HUB, route=ROUTE), provider("postgres"), domain="example.org", **context)
    assert (found["notebook"]["url"], found["postgres"]["url"]) == (url, "")
