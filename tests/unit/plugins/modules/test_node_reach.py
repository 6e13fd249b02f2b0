# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether a node gets an answer from others, with real sockets."""

import socket
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.mesh import members as roster


def test_an_open_and_a_closed_port_are_answers(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run("node_reach", addresses={"south": "127.0.0.1"}, port=port)["unreached"] == {}
    found = run("node_reach", addresses={"south": "127.0.0.1", "west": "127.0.0.1"}, port=port)
    assert found == {"unreached": {}}


def test_an_address_without_a_way_is_named_with_the_reason(run: Any) -> None:
    found = run("node_reach", addresses={"south": "127.0.0.1", "west": "nobody.invalid"})["unreached"]
    assert [*found] == ["west"]
    assert found["west"]


def test_what_the_nodes_say_is_in_the_records() -> None:
    first = {"name": "north", "node_ips": ["10.0.0.1", "10.0.0.2"]}
    assert roster.first_nodes([first, {"name": "new", "node_ips": []}]) == {"north": "10.0.0.1"}
    asked = [
        {"item": "north-1", "unreached": {"south": "timed out"}},
        {"item": "north-2", "unreached": {}},
        {"item": "north-3", "unreachable": True},
    ]
    hostvars = {"north": {"__clustermesh_self": {"cluster": first}, "__clustermesh_asked": {"results": asked}}}
    assert roster.records(["north"], hostvars, {}) == [{**first, "unreached": {"south": {"north-1": "timed out"}}}]
    assert roster.records(["north"], {"north": {"__clustermesh_self": {"cluster": first}}}, {}) == [first]
