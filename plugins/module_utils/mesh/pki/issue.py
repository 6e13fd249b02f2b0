# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make certificate authorities and leafs, ECDSA P-256."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .certificates import PURPOSES, Pair, certificates, load_key, pem

if TYPE_CHECKING:
    from .certificates import SigningKey

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

_SKEW = timedelta(minutes=5)  # a node's clock may be behind the controller's
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


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
