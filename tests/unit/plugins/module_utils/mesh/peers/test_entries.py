# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Entries of peers: what they mean, and what of them may be shown. Exact bytes: tests/golden/test_mesh_entries.py."""

from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import flavour
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import entries
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.entries import Peer
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
IPS = st.lists(st.ip_addresses().map(str), unique=True, max_size=4).map(tuple)
VERSIONS = st.sampled_from(["1.18.5", "1.19.6", "1.20.2", "1.21.0"])
FINGERPRINTS = st.sampled_from(["", "ab" * 32])
SOUTH = Peer("south", ("https://south.mesh.cilium.io:2379",), "south.mesh.cilium.io", ("192.0.2.1", "192.0.2.2"))


@st.composite
def peers(draw: st.DrawFn) -> Peer:
    name, ips = draw(NAMES), draw(IPS)
    hostname = f"{name}.mesh.cilium.io" if ips else ""
    return Peer(name, (f"https://{hostname or name}:2379",), hostname, ips)


def remote(peer: Peer, version: str = "1.20.2", fingerprint: str = "") -> bytes:
    return entries.render(peer, flavour(version), "kube-system", True, fingerprint)["cilium-kvstoremesh"]


@given(peers(), VERSIONS, st.booleans(), FINGERPRINTS)
def test_what_is_written_is_read_back(peer: Peer, version: str, kvstoremesh: bool, fingerprint: str) -> None:
    written = entries.render(peer, flavour(version), "kube-system", kvstoremesh, fingerprint)
    entry = entries.parse(written["cilium-kvstoremesh" if kvstoremesh else "cilium-clustermesh"])
    assert entry is not None
    assert entry.endpoints == frozenset(peer.urls)
    aliased = flavour(version).aliases_in_entries
    assert entry.aliases == frozenset((peer.hostname, ip) for ip in peer.ips if aliased)
    assert (entry.fingerprint, entry.unknown) == (fingerprint, frozenset())
    assert all(entries.is_entry(content) and not content.endswith(b"\n") for content in written.values())


@given(peers())
def test_every_reader_of_yaml_sees_addresses_and_no_numbers(peer: Peer) -> None:
    read = yaml.safe_load(remote(peer))
    assert [ip for alias in read.get("cilium-host-aliases", []) for ip in alias["ips"]] == list(peer.ips)


@given(peers(), peers())
def test_the_same_are_those_that_dial_the_same(one: Peer, other: Peer) -> None:
    equal = (set(one.urls), one.hostname, set(one.ips)) == (set(other.urls), other.hostname, set(other.ips))
    assert entries.same(remote(one), remote(other)) == equal


def test_order_and_spelling_do_not_matter() -> None:
    turned = SOUTH._replace(ips=SOUTH.ips[::-1])
    assert remote(turned) != remote(SOUTH)
    assert entries.same(remote(SOUTH), remote(turned))
    assert entries.same(remote(SOUTH), yaml.safe_dump(yaml.safe_load(remote(SOUTH))).encode())


def test_any_other_meaning_matters() -> None:
    lines = remote(SOUTH)
    for old, new in [
        (b"south.mesh.cilium.io:2379", b"south.mesh.cilium.io:2380"),
        (b"common-etcd-client-ca.crt", b"local-etcd-client-ca.crt"),
        (b"common-etcd-client.key", b"other.key"),
        (b"common-etcd-client.crt", b"other.crt"),
        (b"192.0.2.2", b"192.0.2.3"),
        (b"hostname: south", b"hostname: north"),
        (b"endpoints:", b"username: u\nendpoints:"),
    ]:
        assert old in lines and not entries.same(lines, lines.replace(old, new))


def test_the_comment_counts_only_where_it_is_wanted() -> None:
    plain, noted, other = remote(SOUTH), remote(SOUTH, fingerprint="aa"), remote(SOUTH, fingerprint="bb")
    assert noted.splitlines()[0] == b"# ca: aa"
    assert entries.same(plain, noted)
    assert not entries.same(noted, plain) and not entries.same(noted, other)


def test_what_is_no_entry_means_nothing_and_is_not_shown() -> None:
    for content in (b"", b"\xff", b"a: [", b"just text", b"endpoints:", b"endpoints: 1\nsecret: word", b"- endpoints:"):
        assert entries.parse(content) is None
        assert not entries.same(remote(SOUTH), content) and not entries.same(content, content)
        assert entries.show(content) == "no valid entry\n"


def test_values_of_fields_that_the_chart_does_not_write_are_not_shown() -> None:
    shown = entries.show(remote(SOUTH, fingerprint="aa") + b"\npassword: hush")
    assert "unknown field: password" in shown and "hush" not in shown
    assert shown.startswith("ca: aa\nendpoint: https://south.mesh.cilium.io:2379\nfile: ")
    assert "alias: south.mesh.cilium.io 192.0.2.1\n" in shown


@given(st.dictionaries(NAMES.map(lambda name: f"remote-{name}"), st.sampled_from(["remote", "admin"])))
def test_users_are_read_back(users: dict[str, str]) -> None:
    assert entries.parse_users(entries.render_users(users)) == users


def test_users_that_cannot_be_read_are_none() -> None:
    for text in ("", "users:\n", "users: [1]", "a: [", "- x"):
        assert entries.parse_users(text) == {}


ASKED = {"name": "south", "id": 2, "endpoint": {"ips": ["192.0.2.1"], "address": "", "port": 32379}}


def findings(*asked: dict[str, Any], dial: str = "auto", names_only: bool = False) -> list[str]:
    return entries.findings(list(asked), "north", 1, dial, names_only)


def endpoint(**given: Any) -> dict[str, Any]:
    return {**ASKED, "endpoint": given}


def test_a_record_is_a_peer() -> None:
    assert findings({**ASKED, "status": {}, "tls": {}}, {"name": "north", "id": 1, "endpoint": {"ips": []}}) == []


NAME = (
    "peer 1: name {} is invalid: at most 32 lower-case alphanumerics or '-', beginning and ending with an alphanumeric"
)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"id": 2}, NAME.format("None")),
        ({**ASKED, "name": "South"}, NAME.format("'South'")),
        ({**ASKED, "name": "south-"}, NAME.format("'south-'")),
        ({**ASKED, "name": "s" * 33}, NAME.format(repr("s" * 33))),
        ({**ASKED, "name": "south\n"}, NAME.format("'south\\n'")),
        ({**ASKED, "id": 0}, "peer 'south': id 0 is outside 1..511"),
        ({**ASKED, "id": 512}, "peer 'south': id 512 is outside 1..511"),
        ({**ASKED, "id": None}, "peer 'south': id None is outside 1..511"),
        ({**ASKED, "id": "two"}, "peer 'south': id two is outside 1..511"),
        ({**ASKED, "id": 1}, "'north' and 'south' both have id 1: ids are unique in the mesh"),
        (
            {"name": "south", "id": 2},
            "peer 'south': it has no endpoint: give endpoint.ips or endpoint.address",
        ),
        (endpoint(ips=["192.0.2"]), "peer 'south': endpoint.ips holds '192.0.2', which is no IP address"),
        (endpoint(address="https://x"), "peer 'south': endpoint.address 'https://x' is no DNS name or IP address"),
        (endpoint(address="x", port=65536), "peer 'south': endpoint.port 65536 is outside 1..65535"),
        ({**ASKED, "endpoint": "x"}, "peer 'south': endpoint 'x' is no mapping of ips, address and port"),
    ],
)
def test_refusals(asked: dict[str, Any], words: str) -> None:
    assert findings(asked) == [words]


def test_all_refusals_at_once_in_the_order_of_the_list() -> None:
    west = {**ASKED, "name": "west", "endpoint": {}}
    assert findings(ASKED, west, ASKED) == [
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
    assert entries.wanted([{**ASKED, "enabled": False}], "north", "auto", "mesh.cilium.io") == []


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
    assert entries.wanted([endpoint(**given)], "north", dial, "mesh.cilium.io") == [peer]


def test_own_entry_is_left_out_and_the_rest_is_in_order() -> None:
    asked = [{**ASKED, "name": name} for name in ("west", "north", "east")]
    assert [peer.name for peer in entries.wanted(asked, "north", "auto", "mesh.cilium.io")] == ["east", "west"]


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
    assert entries.mismatch("north", 1, expected, asked) == words
