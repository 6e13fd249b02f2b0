# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Entries of peers: what they mean, and what of them may be shown. Exact bytes: tests/golden/test_mesh_entries.py."""

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
