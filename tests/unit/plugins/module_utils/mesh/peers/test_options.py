# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is said of option peers of cilium_clustermesh, and what is dialled."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import options
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.entries import Peer

SOUTH = {"name": "south", "id": 2, "endpoint": {"ips": ["192.0.2.1"], "address": "", "port": 32379}}


def findings(*asked: dict[str, Any], dial: str = "auto", names_only: bool = False) -> list[str]:
    return options.findings(list(asked), "north", 1, dial, names_only)


def endpoint(**given: Any) -> dict[str, Any]:
    return {**SOUTH, "endpoint": given}


def test_a_record_is_a_peer() -> None:
    assert findings({**SOUTH, "status": {}, "tls": {}}, {"name": "north", "id": 1, "endpoint": {"ips": []}}) == []


NAME = (
    "peer 1: name {} is invalid: at most 32 lower-case alphanumerics or '-', beginning and ending with an alphanumeric"
)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"id": 2}, NAME.format("None")),
        ({**SOUTH, "name": "South"}, NAME.format("'South'")),
        ({**SOUTH, "name": "south-"}, NAME.format("'south-'")),
        ({**SOUTH, "name": "s" * 33}, NAME.format(repr("s" * 33))),
        ({**SOUTH, "name": "south\n"}, NAME.format("'south\\n'")),
        ({**SOUTH, "id": 0}, "peer 'south': id 0 is outside 1..511"),
        ({**SOUTH, "id": 512}, "peer 'south': id 512 is outside 1..511"),
        ({**SOUTH, "id": None}, "peer 'south': id None is outside 1..511"),
        ({**SOUTH, "id": "two"}, "peer 'south': id two is outside 1..511"),
        ({**SOUTH, "id": 1}, "'north' and 'south' both have id 1: ids are unique in the mesh"),
        (
            {"name": "south", "id": 2},
            "peer 'south': it has no endpoint: give endpoint.ips or endpoint.address",
        ),
        (endpoint(ips=["192.0.2"]), "peer 'south': endpoint.ips holds '192.0.2', which is no IP address"),
        (endpoint(address="https://x"), "peer 'south': endpoint.address 'https://x' is no DNS name or IP address"),
        (endpoint(address="x", port=65536), "peer 'south': endpoint.port 65536 is outside 1..65535"),
        ({**SOUTH, "endpoint": "x"}, "peer 'south': endpoint 'x' is no mapping of ips, address and port"),
    ],
)
def test_refusals(asked: dict[str, Any], words: str) -> None:
    assert findings(asked) == [words]


def test_all_refusals_at_once_in_the_order_of_the_list() -> None:
    west = {**SOUTH, "name": "west", "endpoint": {}}
    assert findings(SOUTH, west, SOUTH) == [
        "'south' and 'west' both have id 2: ids are unique in the mesh",
        "peer 'west': it has no endpoint: give endpoint.ips or endpoint.address",
        "peer 'south' is listed twice: remove one",
    ]


def test_aliases_need_ips() -> None:
    asked = endpoint(address="mesh.example.org")
    assert findings(asked) == []
    assert findings(asked, dial="aliases") == ["peer 'south': dial=aliases needs endpoint.ips"]


def test_a_removal_needs_names_only() -> None:
    assert findings({"name": "south"}, names_only=True) == []
    assert findings({"name": "South"}, names_only=True) != []


def test_a_disabled_peer_needs_no_endpoint() -> None:
    assert findings({"name": "south", "id": 2, "enabled": False}) == []
    assert options.wanted([{**SOUTH, "enabled": False}], "north", "auto", "mesh.cilium.io") == []


NAMED = Peer("south", ("https://south.mesh.cilium.io:32379",), "south.mesh.cilium.io", ("192.0.2.1", "192.0.2.2"))
BOTH = {"ips": ["192.0.2.1", "192.0.2.2"], "address": "mesh.example.org", "port": 32379}


@pytest.mark.parametrize(
    ("given", "dial", "peer"),
    [
        ({**BOTH, "address": ""}, "auto", NAMED),
        (BOTH, "aliases", NAMED),
        (BOTH, "auto", Peer("south", ("https://mesh.example.org:32379",))),
        (BOTH, "address", Peer("south", ("https://mesh.example.org:32379",))),
        (
            {**BOTH, "address": ""},
            "address",
            Peer("south", ("https://192.0.2.1:32379", "https://192.0.2.2:32379")),
        ),
        ({"address": "fd00::1"}, "auto", Peer("south", ("https://[fd00::1]:2379",))),
    ],
)
def test_what_is_dialled(given: dict[str, Any], dial: str, peer: Peer) -> None:
    assert options.wanted([endpoint(**given)], "north", dial, "mesh.cilium.io") == [peer]


def test_own_entry_is_left_out_and_the_rest_is_in_order() -> None:
    asked = [{**SOUTH, "name": name} for name in ("west", "north", "east")]
    assert [peer.name for peer in options.wanted(asked, "north", "auto", "mesh.cilium.io")] == ["east", "west"]


@pytest.mark.parametrize(
    ("expected", "asked", "words"),
    [
        ((None, None), [], ""),
        (("north", 1), [{"name": "north", "id": 1}], ""),
        (("south", None), [], "'south' (id 1)"),
        ((None, 2), [], "'north' (id 2)"),
        (("south", 2), [], "'south' (id 2)"),
        ((None, None), [{"name": "north", "id": 7}], "'north' (id 7)"),
        ((None, None), [{"name": "north"}, {"name": "south", "id": 7}], ""),
    ],
)
def test_a_swapped_kubeconfig(expected: tuple[Any, Any], asked: list[dict[str, Any]], words: str) -> None:
    assert options.mismatch("north", 1, expected, asked) == words
