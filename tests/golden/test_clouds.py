# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pages show the table of ports that the code has; UPDATE_GOLDEN=1 writes it into those of the clouds."""

import os
import re

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import PORTS

import render

CLOUDS = ("aws", "azure", "gcp", "ovh")
HEADING = "| Service | annotation | why |\n| --- | --- | --- |\n"
ANNOTATION = re.compile(
    r"^\| ([^|]+) \| `([a-z0-9.]+/[a-z0-9-]+): \"[^\"]+\"` \| .+ \(\[source\]\(https://\S+\)\) \|$", re.MULTILINE
)


def port_table() -> str:
    """The rows as a Markdown table."""
    rows = [(one.name, one.protocol, one.port or "-", " and ".join(one.sources), one.why) for one in PORTS]
    lines = [("name", "protocol", "port", "from", "for"), ("---",) * 5, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_page_shows_the_ports(cloud: str) -> None:
    page = render.ROOT / f"docs/cloud-{cloud}.md"
    text = page.read_text()
    marked = re.compile(r"(<!-- ports -->\n).*?(<!-- /ports -->\n)", re.DOTALL)
    assert len(marked.findall(text)) == 1
    wanted = marked.sub(lambda found: found[1] + port_table() + found[2], text)
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted, f"{page.name}: its table is old; UPDATE_GOLDEN=1 rewrites it"


def test_the_page_of_hetzner_shows_the_ports() -> None:
    assert f"\n\n{port_table()}\n" in (render.ROOT / "docs/hcloud.md").read_text()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_annotation_has_its_source_and_is_there_once_for_a_service(cloud: str) -> None:
    table = (
        (render.ROOT / f"docs/cloud-{cloud}.md")
        .read_text()
        .split("| Service | annotation | why |\n| --- | --- | --- |\n")[1]
    )
    rows = table.split("\n\n")[0]
    found = [(service, name) for services, name in ANNOTATION.findall(rows) for service in services.split(", ")]
    assert len(ANNOTATION.findall(rows)) == len(rows.splitlines()) and len({*found}) == len(found)
