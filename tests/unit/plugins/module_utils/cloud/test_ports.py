# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The one table of ports: what a mesh needs, and how pages show it."""

from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import (
    MESH,
    PORTS,
    SOURCES,
    Port,
    port_table,
)

from repository import ROOT


def test_the_mesh_needs_what_cilium_asks_for_and_no_more() -> None:
    found = {(one.protocol, one.port) for one in PORTS if MESH in one.sources}
    tcp = {("tcp", "4240"), ("tcp", "4244"), ("tcp", "2379"), ("tcp", "32379")}
    assert found == tcp | {("udp", "8472"), ("udp", "6081"), ("udp", "51871"), ("esp", ""), ("icmp", "")}


def test_every_row_is_complete_and_has_a_name_of_its_own() -> None:
    assert len({one.name for one in PORTS}) == len(PORTS)
    for one in PORTS:
        assert one.sources and set(one.sources) <= set(SOURCES)
        assert bool(one.port) == (one.protocol in ("tcp", "udp"))


def test_the_table_is_markdown() -> None:
    rows = [Port("a", "tcp", "1", ("operators", "anyone"), "x"), Port("b", "esp", "", ("anyone",), "y")]
    assert port_table(rows) == (
        "| name | protocol | port | from | for |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| a | tcp | 1 | operators and anyone | x |\n"
        "| b | esp | - | anyone | y |\n"
    )


def test_the_page_of_hetzner_shows_the_table() -> None:
    page = ROOT / "docs/hcloud.md"
    assert f"\n\n{port_table()}\n" in page.read_text()
