# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pages of the clouds show the tables that the code has; UPDATE_GOLDEN=1 writes them into the pages."""

import os
import re

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cloud import load_balancers as balancers
from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import port_table

import render

CLOUDS = ("aws", "azure", "gcp", "ovh")


def with_tables(text: str, tables: dict[str, str]) -> str:
    """The page with each table between its marks."""
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
        assert len(marked.findall(text)) == 1, name
        text = marked.sub(lambda found, table=table: found[1] + table + found[2], text)
    return text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_page_shows_the_tables(cloud: str) -> None:
    page = render.ROOT / f"docs/cloud-{cloud}.md"
    text = page.read_text()
    wanted = with_tables(text, {"ports": port_table(), "annotations": balancers.annotation_table(cloud)})
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted, f"{page.name}: its tables are old; UPDATE_GOLDEN=1 rewrites them"


def test_every_annotation_is_one_of_a_page_and_has_its_source() -> None:
    assert {one.cloud for one in balancers.ANNOTATIONS} == {*CLOUDS}
    for one in balancers.ANNOTATIONS:
        assert one.source.startswith("https://") and one.services, one
        assert re.fullmatch(r"[a-z0-9.]+/[a-z0-9-]+", one.name), one


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_service_says_each_thing_once(cloud: str) -> None:
    for service in (balancers.MESH, balancers.GATEWAY):
        names = [one.name for one in balancers.ANNOTATIONS if one.cloud == cloud and service in one.services]
        assert len({*names}) == len(names)
