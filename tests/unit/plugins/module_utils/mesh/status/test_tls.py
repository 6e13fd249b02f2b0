# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What pods trust and show: the real output of `kvstoremesh-dbg troubleshoot --include-local` of Cilium 1.20.2."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import tls as handshake
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.tls import Handshake, Shaken, Wanted

import mesh_objects as objects

TEXT = (objects.FIXTURES / "south-troubleshoot.txt").read_text()
CA = 0x1A45655EBE69DB697D2E0849AEBA0A1FC1ED9E39
SIGNER = 0x297F21D13D4AC674_0B832EFCB144ACD0_1BF5BDDC
WELL = Handshake(frozenset({CA}), frozenset({SIGNER}), frozenset({SIGNER}), "")
WANTED = Wanted({CA: "c" * 64}, SIGNER)


def test_what_a_real_pod_says() -> None:
    assert handshake.read(TEXT) == {handshake.OWN: WELL, "north": WELL}


def test_a_pod_without_peers_says_nothing() -> None:
    assert handshake.read("Found 0 cluster configurations\n") == {}


def test_the_ids_are_those_of_certificates() -> None:
    ca = objects.pem(objects.authority(1)[0])
    both = ca + objects.pem(objects.authority(2)[0])
    found = handshake.wanted(both, ca)
    assert set(found.trusted) == {1, 2} and len(found.trusted[1]) == 64
    assert found.signer == handshake.wanted(ca, ca).signer != handshake.wanted(ca, both[len(ca) :]).signer


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, ""),
        ({"served": frozenset()}, ""),
        ({"trusted": frozenset()}, "its mounted CA file lacks cccccccccccccccc"),
        ({"trusted": frozenset({CA, 7})}, "its mounted CA file still holds a CA that is to go"),
        ({"shown": frozenset({7})}, "its mounted certificate is not signed by the CA that signs now"),
        ({"shown": frozenset()}, "its mounted certificate is not signed by the CA that signs now"),
        ({"served": frozenset({7})}, "the server shows a certificate that is not signed by the CA that signs now"),
        ({"served": frozenset(), "error": "Cannot resolve hostname: x"}, "Cannot resolve hostname: x"),
    ],
)
def test_what_a_handshake_lacks(change: dict[str, Any], text: str) -> None:
    assert handshake.lack(WELL._replace(**change), WANTED) == text


def test_a_refused_client_is_seen_in_the_words_of_cilium() -> None:
    line = "     ✅ TLS connection successfully established to 127.0.0.1:2379\n"
    refused = line + "     ❌ TLS client authentication failed: remote error: tls: unknown certificate authority\n"
    found = handshake.read(TEXT.replace(line, refused))[handshake.OWN]
    words = "TLS client authentication failed: remote error: tls: unknown certificate authority"
    assert handshake.lack(found, WANTED) == words


def test_reasons_name_the_pod_and_the_peer() -> None:
    old = WELL._replace(trusted=frozenset({7}))
    seen = [
        Shaken("mesh-x", {handshake.OWN: old, "b": WELL}, []),
        Shaken("mesh-y", {"b": WELL, "c": WELL}, ["c"]),
        Shaken("mesh-z", {}, [], "it is not running yet"),
    ]
    assert handshake.reasons("a", ["b", "c"], "KVStoreMesh", WANTED, seen) == [
        "cluster a: KVStoreMesh mesh-x, its own etcd: its mounted CA file lacks cccccccccccccccc",
        "cluster a: KVStoreMesh mesh-x, peer c: no entry",
        "cluster a: KVStoreMesh mesh-y, peer c: its mounted entry is the one from before",
        "cluster a: KVStoreMesh mesh-z: it is not running yet",
    ]
    assert handshake.reasons("a", ["b"], "agent", WANTED, [Shaken("x", {"b": WELL, "gone": old}, [])]) == []
