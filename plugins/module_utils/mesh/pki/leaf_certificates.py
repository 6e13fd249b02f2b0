# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which leaf certificates a cluster of a mesh needs, and why one has to be issued again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ..chart import DOMAIN, address
from . import certificates as certs
from .certificates import Pair

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509

# The first is the CN of Cilium up to 1.19; the names of all versions in each certificate survive an upgrade.
_SERVER_NAME = "clustermesh-apiserver.cilium.io"


class Leaf(NamedTuple):
    """What one certificate is for; sans are sorted."""

    cn: str
    sans: tuple[str, ...]
    purposes: tuple[str, ...]


def remote_cn(name: str, auth_mode: str, live: Pair | None) -> str:
    """Return the CN by which this cluster logs in to its peers; mode auto keeps what the live certificate has."""
    own = f"remote-{name}"
    if auth_mode == "auto" and live is not None:
        with contextlib.suppress(ValueError):
            return own if certs.common_name(certs.certificates(live.cert)[0]) == own else "remote"
    return own if auth_mode == "cluster" else "remote"


def leafs(name: str, namespace: str, remote: str, extra: Iterable[str]) -> dict[str, Leaf]:
    """Return the wanted leafs; the server is first, since its peers must trust it before anything else matters."""
    service = f"clustermesh-apiserver.{namespace}.svc"
    names = {_SERVER_NAME, service, f"*.{DOMAIN}", "127.0.0.1", "::1", *map(_normal, extra)}
    client = ("clientAuth",)
    return {
        # etcd's own gateway logs in with the server certificate (cilium#39838).
        "server": Leaf(service, tuple(sorted(names)), ("serverAuth", "clientAuth")),
        "admin": Leaf(f"admin-{name}", (), client),
        "local": Leaf(f"local-{name}", (), client),
        "remote": Leaf(remote, (), client),
    }


def _normal(name: str) -> str:
    return address(name) or name.lower()


def name_findings(extra: Iterable[str]) -> list[str]:
    """Return a sentence for each text that cannot be a name in a certificate."""
    return [
        f"server_sans: '{name}' is neither a DNS name nor an IP address"
        for name in extra
        if not (address(name) or re.fullmatch(r"(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name.lower()))
    ]


def reasons(live: Pair | None, leaf: Leaf, authority: x509.Certificate, renew_before: int, now: datetime) -> list[str]:
    """Return in words why the leaf has to be issued again; none if it is as wanted. renew_before is in days."""
    if live is None:
        return ["missing"]
    try:
        cert = certs.certificates(live.cert)[0]
    except (ValueError, IndexError):
        return ["tls.crt cannot be read"]
    found = []
    if not certs.match(cert, live.key):
        found.append("tls.key does not match tls.crt")
    if not certs.issued_by(cert, authority):
        found.append("not signed by the current CA")
    if certs.common_name(cert) != leaf.cn:
        found.append(f"CN is '{certs.common_name(cert)}', not '{leaf.cn}'")
    wanted, present = set(leaf.sans), set(map(_normal, certs.sans(cert)))
    if wanted - present:
        found.append(f"lacks the names {', '.join(sorted(wanted - present))}")
    if present - wanted:
        found.append(f"has the names {', '.join(sorted(present - wanted))} too many")
    if missing := [each for each in leaf.purposes if each not in certs.purposes(cert)]:
        found.append(f"is not for {', '.join(missing)}")
    if cert.not_valid_before_utc > now:
        found.append(f"is not valid before {cert.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
    # A leaf ends with its CA at the latest; issuing it again could not make it last longer.
    capped = cert.not_valid_after_utc >= authority.not_valid_after_utc
    if certs.days_left(cert, now) < renew_before and not capped:
        found.append(f"expires in {certs.days_left(cert, now)} days, renewed from {renew_before} on")
    return found


def authority_findings(pair: Pair, bundle: str, now: datetime, check: bool = False) -> list[str]:
    """Return what is wrong with the CA and the bundle that clusters are to trust; check mode needs no key."""
    try:
        (cert,) = certs.certificates(pair.cert)
    except ValueError:
        return ["ca_cert is not one PEM certificate: give the CA that signs, and the others in ca_bundle"]
    found = []
    shown = f"(sha256 {certs.fingerprint(cert)[:16]})"
    if not certs.is_authority(cert):
        found.append(f"ca_cert {shown} is no CA certificate: give the one that signs")
    if cert.not_valid_after_utc <= now:
        end = f"{cert.not_valid_after_utc:%Y-%m-%d}"
        found.append(f"ca_cert {shown} ended on {end}: rotate the CA with cilium_clustermesh_ca")
    try:
        if certs.fingerprint(cert) not in certs.fingerprints(bundle):
            found.append(f"ca_bundle does not contain ca_cert {shown}: no cluster would trust what it signs; add it")
    except ValueError:
        found.append("ca_bundle is no PEM text of certificates")
    if check and not pair.key:
        return found
    try:
        certs.load_key(pair.key)
    except ValueError as error:
        return [*found, f"ca_key {error}"]
    if not certs.match(cert, pair.key):
        found.append(f"ca_key does not match ca_cert {shown}: give the two of one CA")
    return found
