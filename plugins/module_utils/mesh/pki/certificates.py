# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What certificates and keys say, as PEM texts; _mesh_issue makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
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
