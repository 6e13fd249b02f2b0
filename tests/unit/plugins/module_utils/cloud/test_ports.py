# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The one table of ports: what a mesh needs."""

from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import MESH, PORTS


def test_the_mesh_needs_what_cilium_asks_for_and_no_more() -> None:
    found = {(one.protocol, one.port) for one in PORTS if MESH in one.sources}
    tcp = {("tcp", "4240"), ("tcp", "4244"), ("tcp", "2379"), ("tcp", "32379")}
    assert found == tcp | {("udp", "8472"), ("udp", "6081"), ("udp", "51871"), ("esp", ""), ("icmp", "")}


def test_every_row_is_complete_and_has_a_name_of_its_own() -> None:
    assert len({one.name for one in PORTS}) == len(PORTS)
    for one in PORTS:
        assert one.sources
        assert bool(one.port) == (one.protocol in ("tcp", "udp"))
