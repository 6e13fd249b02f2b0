# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From the kubeconfig that somebody has to the fleet's own."""

import ipaddress
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.existing import client as existing_client
from ansible_collections.opendata.platform.plugins.module_utils.existing.kubeconfig import (
    Api,
    address_of,
    choose_api,
    chosen,
    own,
    unfit,
)
from hypothesis import given
from hypothesis import strategies as st

PATH = "/home/me/.kube/config"
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "aws",
    "args": ["eks", "get-token", "--cluster-name", "data"],
    "env": [{"name": "AWS_PROFILE", "value": "data"}],
    "interactiveMode": "IfAvailable",
}


def config(cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> str:
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
        {"name": "two", "context": {"cluster": "c", "user": "v"}},
    ]
    whole = {"apiVersion": "v1", "kind": "Config", "current-context": "one", "contexts": contexts}
    whole["clusters"] = [{"name": "c", "cluster": cluster}, {"name": "other", "cluster": {"server": "https://other"}}]
    whole["users"] = [{"name": "u", "user": user}, {"name": "v", "user": {"token": "of-v"}}]
    return yaml.safe_dump({**whole, **more})


def test_one_context_is_left_with_the_name_of_the_cluster() -> None:
    made = own(config({"server": "https://api:6443", "tls-server-name": "api"}, {"exec": EXEC}), PATH, "aws")
    assert made == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "aws", "cluster": {"server": "https://api:6443", "tls-server-name": "api"}}],
        "users": [{"name": "aws", "user": {"exec": EXEC}}],
        "contexts": [{"name": "aws", "context": {"cluster": "aws", "user": "aws", "namespace": "team"}}],
        "current-context": "aws",
    }


def test_another_context_has_another_user() -> None:
    made = own(config({"server": "https://api"}, {"token": "of-u"}), PATH, "aws", "two")
    assert made["users"] == [{"name": "aws", "user": {"token": "of-v"}}]


def test_paths_start_at_the_given_files_folder() -> None:
    user = {"client-certificate": "me.crt", "client-key": "/etc/me.key", "tokenFile": "../token"}
    made = own(config({"server": "https://api", "certificate-authority": "pki/ca.crt"}, user), PATH, "aws")
    assert made["clusters"][0]["cluster"]["certificate-authority"] == "/home/me/.kube/pki/ca.crt"
    assert made["users"][0]["user"] == {
        "client-certificate": "/home/me/.kube/me.crt",
        "client-key": "/etc/me.key",
        "tokenFile": "/home/me/token",
    }


@pytest.mark.parametrize(
    ("command", "kept"), [("aws", "aws"), ("./login", "/home/me/.kube/login"), ("/opt/login", "/opt/login")]
)
def test_a_plugin_is_found_where_it_was(command: str, kept: str) -> None:
    made = own(config({"server": "https://api"}, {"exec": {**EXEC, "command": command}}), PATH, "aws")
    assert made["users"][0]["user"]["exec"] == {**EXEC, "command": kept}


@given(st.dictionaries(st.sampled_from(["token", "username", "client-key-data", "as"]), st.text(min_size=1)))
def test_the_fleets_own_made_from_itself_is_the_same(user: dict[str, str]) -> None:
    made = own(config({"server": "https://api"}, user), PATH, "aws")
    assert made["users"][0]["user"] == user
    assert own(yaml.safe_dump(made), "/state/kubeconfigs/aws", "aws") == made


@pytest.mark.parametrize(
    ("text", "context", "words"),
    [
        ("a: [", "", "is not YAML"),
        ("", "", "is not a kubeconfig: it has no contexts"),
        ("- a", "", "is not a kubeconfig: it has no contexts"),
        (config({"server": "https://api"}, {}), "three", "has no context 'three'. Known: one, two"),
        (
            config({"server": "https://api"}, {}, **{"current-context": ""}),
            "",
            "has no current context. Known: one, two",
        ),
        (config({"server": "https://api"}, {}, users=[]), "", "has no user 'u'. Known: none"),
        (config({"server": "https://api"}, {}, clusters=[]), "", "has no cluster 'c'. Known: none"),
        (config({}, {}), "", "has no server in its cluster 'c'"),
        (config({"server": 5}, {}), "", "has no server in its cluster 'c'"),
        (config({"server": "https://api"}, {}, clusters=5), "", "has no cluster 'c'. Known: none"),
        (
            config({"server": "https://api"}, {}, contexts=["x", {"name": ["y"]}]),
            "z",
            "has no context 'z'. Known: ['y']",
        ),
        (
            config({"server": "https://api"}, {}, **{"current-context": ["y"]}),
            "",
            "has no context '['y']'. Known: one, two",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, context: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^is|^has") as caught:
        chosen(text, context)
    assert str(caught.value) == words


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
    assert choose_api(entry, addresses, ENDPOINTS) == expected


def test_nothing_is_invented() -> None:
    reason = "the name kubernetes is unknown here"
    assert choose_api({"server": "https://kubernetes"}, [], [("127.0.0.1", 6443)]) == Api("", 0, "", reason)


@given(st.ip_addresses(v=4), st.lists(st.tuples(st.ip_addresses(v=4).map(str), st.just(443)), max_size=3))
def test_no_node_is_sent_to_itself(address: ipaddress.IPv4Address, endpoints: list[tuple[str, int]]) -> None:
    found = choose_api({"server": f"https://{address}"}, [str(address)], endpoints)
    assert not found.port or not ipaddress.ip_address(found.host).is_loopback


def test_names_are_resolved_here() -> None:
    assert existing_client.resolve("127.0.0.1") == ["127.0.0.1"]
    assert "127.0.0.1" in existing_client.resolve("localhost")
    assert existing_client.resolve("no-such-name.invalid") == []
