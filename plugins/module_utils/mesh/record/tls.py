# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a cluster's mesh certificates are, from their Secrets. Pure."""

from __future__ import annotations

import base64
import binascii
import contextlib
from datetime import datetime
from typing import Any

from ..chart import LEAFS
from ..pki import certificates as certs

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509

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
        "ca_fingerprints": sorted({certs.fingerprint(each) for each in authorities}),
        "leafs": leafs,
    }


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
    return {
        "cn": certs.common_name(leaf),
        "sans": certs.sans(leaf),
        "issuer": next((certs.fingerprint(each) for each in authorities if certs.issued_by(leaf, each)), ""),
        "not_after": leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "days_left": certs.days_left(leaf, now),
    }
