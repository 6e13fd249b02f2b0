# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a cluster's mesh certificates are, from their Secrets. Pure.

Private to this collection: it may change without notice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils._mesh_names import LEAFS
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Secret = dict[str, Any]


def read(secrets: dict[str, Secret | None], cronjob: bool, now: datetime) -> dict[str, Any]:
    """Return method, ca_fingerprints and leafs; secrets by name, cronjob is whether the chart's one exists.

    A leaf that is missing or cannot be read is not among the leafs.
    """
    authorities = _certificates(secrets.get(LEAFS["remote"]), "ca.crt")
    leafs = {}
    for leaf, name in LEAFS.items():
        found = _certificates(secrets.get(name), "tls.crt")
        if found:
            leafs[leaf] = _leaf(found[0], authorities, now)
    return {
        "method": _method(secrets.get(LEAFS["server"]), cronjob),
        "ca_fingerprints": sorted({fingerprint(each) for each in authorities}),
        "leafs": leafs,
    }


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate's DER in hex."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _method(server: Secret | None, cronjob: bool) -> str:
    if server is None:
        return "none"
    metadata = server["metadata"]
    if "cert-manager.io/certificate-name" in (metadata.get("annotations") or {}):
        return "certmanager"
    if (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm":
        return "helm"
    return "cronJob" if cronjob else "provided"


def _certificates(secret: Secret | None, key: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(((secret or {}).get("data") or {}).get(key) or ""))
    except (ValueError, binascii.Error):
        return []


def _leaf(leaf: x509.Certificate, authorities: list[x509.Certificate], now: datetime) -> dict[str, Any]:
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return {
        "cn": str(names[0].value) if names else "",
        "sans": _sans(leaf),
        "issuer": next((fingerprint(each) for each in authorities if _signed(leaf, each)), ""),
        "not_after": leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "days_left": (leaf.not_valid_after_utc - now).days,
    }


def _sans(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _signed(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Every CA may be called "Cilium CA", so only the signature tells which one it was."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
