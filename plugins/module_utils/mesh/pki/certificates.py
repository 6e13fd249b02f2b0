# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What certificates and keys say, as PEM texts; makes certificate authorities and leafs, ECDSA P-256."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# OIDs of the purposes of a key.
PURPOSES = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2"}
_SKEW = timedelta(minutes=5)  # a node's clock may be behind the controller's
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key is not in its repr."""

    cert: str
    key: str = field(repr=False)


def certificates(text: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, each once, in order. Raise ValueError for what is none."""
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError("is no PEM certificate") from None
    return list({fingerprint(each): each for each in found}.values())


def fingerprint(cert: x509.Certificate) -> str:
    """Return the sha256 of the certificate's DER, in hex."""
    return cert.fingerprint(hashes.SHA256()).hex()


def fingerprints(text: str) -> list[str]:
    """Return the sorted fingerprints of all certificates in a PEM text. Raise ValueError for what is none."""
    return sorted(fingerprint(each) for each in certificates(text))


def pem(certs: Iterable[x509.Certificate]) -> str:
    """Return the certificates as one PEM text."""
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certs)


def load_key(text: str) -> SigningKey:
    """Return the private key of a PEM text. Raise ValueError; its text says nothing of the key."""
    # What cryptography says may quote what it read, so no exception of it goes on.
    with contextlib.suppress(ValueError, TypeError):
        key = serialization.load_pem_private_key(text.encode(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            return key
    raise ValueError("is no ECDSA or RSA private key in PEM without a passphrase")


def match(cert: x509.Certificate, key: str) -> bool:
    """Return whether the PEM key is the certificate's."""
    with contextlib.suppress(ValueError):
        return load_key(key).public_key() == cert.public_key()
    return False


def issued_by(cert: x509.Certificate, authority: x509.Certificate) -> bool:
    """Return whether the authority signed the certificate."""
    try:
        cert.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_authority(cert: x509.Certificate) -> bool:
    """Return whether the certificate may sign others."""
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    return False


def common_name(cert: x509.Certificate) -> str:
    """Return the subject's CN, "" if there is none."""
    return "".join(str(each.value) for each in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[:1])


def sans(cert: x509.Certificate) -> list[str]:
    """Return the DNS names and IP addresses the certificate is for, sorted."""
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
        return sorted([*found.get_values_for_type(x509.DNSName), *addresses])
    return []


def purposes(cert: x509.Certificate) -> set[str]:
    """Return which of serverAuth and clientAuth the certificate is for."""
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        allowed = {oid.dotted_string for oid in usage}
        return {name for name, oid in PURPOSES.items() if oid in allowed}
    return set()


def days_left(cert: x509.Certificate, now: datetime) -> int:
    """Return the whole days until the certificate ends, negative after its end."""
    return (cert.not_valid_after_utc - now).days


def describe(cert: x509.Certificate, now: datetime) -> dict[str, Any]:
    """Return what may be shown: cn, sans, not_after (UTC, Z), days_left, sha256."""
    end = cert.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = {"cn": common_name(cert), "sans": sans(cert), "not_after": end, "days_left": days_left(cert, now)}
    return {**shown, "sha256": fingerprint(cert)}


def make_authority(name: str, days: int, now: datetime) -> Pair:
    """Return a new self-signed CA with that CN."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    own_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = _builder(subject, subject, key, own_id, now, now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _sign(builder, key, key, ("key_cert_sign", "crl_sign"))


def issue(name: str, sans: Iterable[str], purposes: Iterable[str], authority: Pair, days: int, now: datetime) -> Pair:
    """Return a new leaf that ends no later than its CA. Raise ValueError for a CA that cannot be read."""
    key, signer = ec.generate_private_key(ec.SECP256R1()), load_key(authority.key)
    (issuer,) = certificates(authority.cert)
    end = min(now + timedelta(days=days), issuer.not_valid_after_utc)
    builder = _builder(_name(name), issuer.subject, key, _issuer_id(issuer), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([x509.ObjectIdentifier(PURPOSES[each]) for each in purposes]), critical=False
    )
    names = [_general_name(each) for each in sans]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _sign(builder, key, signer, ("digital_signature", "key_encipherment"))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    """Return the text as an IP address where it is one, else as a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _issuer_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the id by which a reader of a bundle finds the CA among several of the same name."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        own = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_id: x509.AuthorityKeyIdentifier,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), now - _SKEW, end)
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(own_id, critical=False).add_extension(issuer_id, critical=False)


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: SigningKey, usages: tuple[str, ...]
) -> Pair:
    allowed = x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})
    cert = builder.add_extension(allowed, critical=True).sign(signer, hashes.SHA256())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(pem([cert]), text.decode())
