# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where Cilium finds the API of a cluster that somebody else made."""

import ipaddress
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.existing import client as existing_client
from ansible_collections.opendata.platform.plugins.module_utils.existing.api_endpoint import (
    Api,
    address_of,
    choose,
    unfit,
)
from hypothesis import given
from hypothesis import strategies as st

ENDPOINTS = [("10.0.0.9", 443), ("10.0.0.8", 443)]
SLICE = "EndpointSlice default/kubernetes"


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://api.example.org", ("api.example.org", 443)),
        ("https://api.example.org:6443/", ("api.example.org", 6443)),
        ("https://[2001:db8::1]:6443", ("2001:db8::1", 6443)),
        ("http://10.0.0.1", ("10.0.0.1", 80)),
    ],
)
def test_address_of_a_url(server: str, address: tuple[str, int]) -> None:
    assert address_of(server) == address


@pytest.mark.parametrize(
    ("entry", "addresses", "reason"),
    [
        ({"server": "https://api.example.org"}, ["192.0.2.1"], ""),
        ({"server": "https://10.0.0.1:6443"}, ["10.0.0.1"], ""),
        ({"server": "https://localhost:8443"}, ["127.0.0.1"], "localhost is an address of this machine only"),
        ({"server": "https://[::1]:8443"}, ["::1"], "::1 is an address of this machine only"),
        ({"server": "https://0.0.0.0:6443"}, ["0.0.0.0"], "0.0.0.0 is an address of this machine only"),
        ({"server": "https://north.ts.net"}, ["100.101.2.3"], "north.ts.net is an address of an overlay network"),
        ({"server": "https://kubernetes"}, [], "the name kubernetes is unknown here"),
        (
            {"server": "https://rancher.example.org/k8s/clusters/c-1"},
            ["192.0.2.1"],
            "its URL has a path, so something else answers in front of it",
        ),
        (
            {"server": "https://api.example.org", "proxy-url": "socks5://localhost:1080"},
            ["192.0.2.1"],
            "the kubeconfig reaches it through a proxy",
        ),
        (
            {"server": "https://192.0.2.7:443", "tls-server-name": "api.example.org"},
            ["192.0.2.7"],
            "its certificate is for api.example.org, so 192.0.2.7 is the end of a tunnel",
        ),
        ({"server": "https://api.example.org", "tls-server-name": "api.example.org"}, ["192.0.2.1"], ""),
    ],
)
def test_what_nodes_cannot_use(entry: dict[str, Any], addresses: list[str], reason: str) -> None:
    assert unfit(entry, addresses) == reason
    expected = Api("10.0.0.8", 443, SLICE, reason) if reason else Api(*address_of(entry["server"]), "the kubeconfig")
    assert choose(entry, addresses, ENDPOINTS) == expected


def test_nothing_is_invented() -> None:
    reason = "the name kubernetes is unknown here"
    assert choose({"server": "https://kubernetes"}, [], [("127.0.0.1", 6443)]) == Api("", 0, "", reason)


@given(st.ip_addresses(v=4), st.lists(st.tuples(st.ip_addresses(v=4).map(str), st.just(443)), max_size=3))
def test_no_node_is_sent_to_itself(address: ipaddress.IPv4Address, endpoints: list[tuple[str, int]]) -> None:
    found = choose({"server": f"https://{address}"}, [str(address)], endpoints)
    assert not found.port or not ipaddress.ip_address(found.host).is_loopback


def test_names_are_resolved_here() -> None:
    assert existing_client.resolve("127.0.0.1") == ["127.0.0.1"]
    assert "127.0.0.1" in existing_client.resolve("localhost")
    assert existing_client.resolve("no-such-name.invalid") == []
