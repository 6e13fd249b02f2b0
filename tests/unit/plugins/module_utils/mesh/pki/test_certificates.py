# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which leafs are wanted, and every reason to issue one again; openssl is asked whether it would trust them."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates as certs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import leaf_certificates as leafs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, issue, make_authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CA, OTHER = (make_authority("Cilium CA", 3650, NOW) for _ in range(2))
WANTED = leafs.leafs("north", "kube-system", "remote", ["mesh.example.org", "203.0.113.7"])
SERVER = WANTED["server"]


def cert(pair: Pair) -> x509.Certificate:
    return certs.certificates(pair.cert)[0]


def make(leaf: leafs.Leaf = SERVER, ca: Pair = CA, days: int = 365, now: datetime = NOW) -> Pair:
    return issue(leaf.cn, leaf.sans, leaf.purposes, ca, days, now)


def why(live: Pair | None, leaf: leafs.Leaf = SERVER, now: datetime = NOW, ca: Pair = CA) -> list[str]:
    return leafs.reasons(live, leaf, cert(ca), 60, now)


def test_the_four_leafs() -> None:
    service = "clustermesh-apiserver.kube-system.svc"
    every = {"*.mesh.cilium.io", "127.0.0.1", "::1", "clustermesh-apiserver.cilium.io", service}
    assert list(WANTED) == ["server", "admin", "local", "remote"]
    assert set(SERVER.sans) == every | {"mesh.example.org", "203.0.113.7"}
    assert (SERVER.cn, SERVER.purposes) == (service, ("serverAuth", "clientAuth"))
    clients = [WANTED[role] for role in ("admin", "local", "remote")]
    assert [each.cn for each in clients] == ["admin-north", "local-north", "remote"]
    assert {(each.sans, each.purposes) for each in clients} == {((), ("clientAuth",))}


@pytest.mark.parametrize(
    ("mode", "live", "expected"),
    [
        ("legacy", "remote-north", "remote"),
        ("migration", None, "remote"),
        ("cluster", None, "remote-north"),
        ("auto", None, "remote"),
        ("auto", "remote", "remote"),
        ("auto", "remote-north", "remote-north"),
        ("auto", "remote-south", "remote"),
    ],
)
def test_how_the_cluster_logs_in(mode: str, live: str | None, expected: str) -> None:
    present = issue(live, (), ("clientAuth",), CA, 1, NOW) if live else None
    assert leafs.remote_cn("north", mode, present) == expected


@pytest.mark.parametrize("role", list(WANTED))
def test_a_fresh_leaf_is_as_wanted(role: str) -> None:
    assert why(make(WANTED[role]), WANTED[role]) == []


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_trusts_the_server_leaf_among_several_cas(tmp_path: Path, purpose: str) -> None:
    # Both CAs have one name, as in a replacement of the CA.
    now = datetime.now(UTC)
    old, new = (make_authority("Cilium CA", 10, now) for _ in range(2))
    (tmp_path / "bundle").write_text(old.cert + new.cert)
    (tmp_path / "leaf").write_text(make(ca=new, days=1, now=now).cert)
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(tmp_path / "bundle")]
    command += ["-verify_hostname", "south.mesh.cilium.io", str(tmp_path / "leaf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


def test_an_rsa_ca_of_helm_signs_as_well() -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cilium CA")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1095))
    signed = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    ca = Pair(certs.pem([signed]), text.decode())
    assert leafs.authority_findings(ca, ca.cert, NOW) == []
    assert why(make(ca=ca), ca=ca) == []


@pytest.mark.parametrize(
    ("live", "now", "expected"),
    [
        (None, NOW, ["missing"]),
        (Pair("", ""), NOW, ["tls.crt cannot be read"]),
        (Pair(make().cert, make().key), NOW, ["tls.key does not match tls.crt"]),
        (Pair(make().cert, "rubbish"), NOW, ["tls.key does not match tls.crt"]),
        (make(ca=OTHER), NOW, ["not signed by the current CA"]),
        (make(SERVER._replace(cn="x")), NOW, ["CN is 'x', not 'clustermesh-apiserver.kube-system.svc'"]),
        (make(SERVER._replace(sans=SERVER.sans[2:])), NOW, ["lacks the names *.mesh.cilium.io, 127.0.0.1"]),
        (
            make(SERVER._replace(sans=(*SERVER.sans, "old.example.org"))),
            NOW,
            ["has the names old.example.org too many"],
        ),
        (make(SERVER._replace(purposes=("serverAuth",))), NOW, ["is not for clientAuth"]),
        (make(now=NOW + timedelta(days=1)), NOW, ["is not valid before 2026-11-24T23:55:00Z"]),
        (make(), NOW + timedelta(days=305), []),
        (make(), NOW + timedelta(days=306), ["expires in 59 days, renewed from 60 on"]),
        (make(), NOW + timedelta(days=366), ["expires in -1 days, renewed from 60 on"]),
        (make(WANTED["admin"], OTHER), NOW, None),
    ],
)
def test_reasons(live: Pair | None, now: datetime, expected: list[str] | None) -> None:
    found = why(live, now=now)
    if expected is None:  # all at once, in a fixed order
        words = ("not signed", "CN is 'admin-north'", "lacks the names", "is not for serverAuth")
        assert [each for each, start in zip(found, words, strict=True) if not each.startswith(start)] == []
    else:
        assert found == expected


@settings(max_examples=30)
@given(st.integers(1, 400), st.integers(1, 4000), st.integers(0, 4000))
def test_what_was_just_issued_is_not_issued_again(days: int, ca_days: int, later: int) -> None:
    """Also where the CA itself ends soon: the leaf ends with it, and renewing would be repeated for ever."""
    ca = make_authority("Cilium CA", ca_days, NOW)
    now = NOW + timedelta(days=min(later, ca_days - 1))
    live = make(ca=ca, days=days, now=now)
    assert leafs.reasons(live, SERVER, cert(ca), days - 1, now) == []
    assert cert(live).not_valid_after_utc <= cert(ca).not_valid_after_utc


@settings(max_examples=50)
@given(st.one_of(st.ip_addresses().map(str), st.from_regex(r"[A-Za-z0-9]([-.a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)))
def test_names_and_addresses_in_any_spelling_are_found_again(name: str) -> None:
    leaf = leafs.leafs("north", "kube-system", "remote", [name])["server"]
    assert leafs.name_findings([name]) == []
    assert why(make(leaf), leaf) == []


def test_what_is_no_name_is_said() -> None:
    assert leafs.name_findings(["ok.example.org", "https://x", "a b", ""]) == [
        "server_sans: 'https://x' is neither a DNS name nor an IP address",
        "server_sans: 'a b' is neither a DNS name nor an IP address",
        "server_sans: '' is neither a DNS name nor an IP address",
    ]


def test_what_is_wrong_with_a_ca_is_said() -> None:
    shown = f"(sha256 {certs.fingerprints(CA.cert)[0][:16]})"
    leaf = make()
    leaf_shown = f"(sha256 {certs.fingerprints(leaf.cert)[0][:16]})"
    several = "ca_cert is not one PEM certificate: give the CA that signs, and the others in ca_bundle"
    strange = f"ca_bundle does not contain ca_cert {shown}: no cluster would trust what it signs; add it"
    late = NOW + timedelta(days=3651)

    def findings(pair: Pair, bundle: str = CA.cert, now: datetime = NOW, check: bool = False) -> list[str]:
        return leafs.authority_findings(pair, bundle, now, check)

    assert findings(CA) == []
    assert findings(Pair("", CA.key)) == [several]
    assert findings(Pair(CA.cert + OTHER.cert, CA.key)) == [several]
    assert findings(CA, OTHER.cert) == [strange]
    assert findings(CA, "rubbish") == ["ca_bundle is no PEM text of certificates"]
    assert findings(Pair(CA.cert, OTHER.key)) == [f"ca_key does not match ca_cert {shown}: give the two of one CA"]
    unread = "ca_key is no ECDSA or RSA private key in PEM without a passphrase"
    assert findings(Pair(CA.cert, "rubbish")) == [unread]
    assert findings(Pair(CA.cert, "")) == [unread]
    assert findings(Pair(CA.cert, ""), check=True) == []
    assert findings(leaf, leaf.cert) == [f"ca_cert {leaf_shown} is no CA certificate: give the one that signs"]
    ended = f"ca_cert {shown} ended on 2036-11-21: rotate the CA with cilium_clustermesh_ca"
    assert findings(CA, now=late) == [ended]
    assert findings(Pair(CA.cert, OTHER.key), "rubbish", late) == [
        ended,
        "ca_bundle is no PEM text of certificates",
        f"ca_key does not match ca_cert {shown}: give the two of one CA",
    ]


def test_a_key_shows_nowhere() -> None:
    assert "PRIVATE" not in repr(CA) and CA.key not in str([CA])
    with pytest.raises(ValueError, match="passphrase") as caught:
        certs.load_key(CA.key[:80])
    assert CA.key[30:70] not in repr(caught.value) and caught.value.__context__ is None
