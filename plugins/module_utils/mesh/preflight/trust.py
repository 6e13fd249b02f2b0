# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether clusters trust each other: CAs, ends of certificates, names in them.

A cluster without any certificate is not judged: cilium_clustermesh_certs may issue them afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ...findings import Finding
from ..chart import flavour, parts
from .messages import Record, finding

# What a peer verifies: the server when it dials, the remote certificate when it is dialled.
SHOWN_TO_PEERS = ("server", "remote")


def findings(records: list[Record], now: datetime, cert_warn_days: int) -> Iterator[Finding]:
    """Yield what is wrong. now: with a time zone; cert_warn_days: days left from which on an end is a warning."""
    judged = [record for record in records if record["tls"]["leafs"]]
    yield from _authorities(judged)
    for record in judged:
        yield from _ends(record, now, cert_warn_days)
        leafs, name = record["tls"]["leafs"], record["name"]
        if record["kvstoremesh"] and "local" not in leafs:
            yield finding("LOCAL_CERT", [record], name=name, method=record["tls"]["method"])
        if record["auth_mode"] == "cluster" and "remote" in leafs and leafs["remote"]["cn"] != f"remote-{name}":
            yield finding("AUTHMODE", [record], name=name, found=leafs["remote"]["cn"])


def _authorities(records: list[Record]) -> Iterator[Finding]:
    """Each cluster against each, itself too: its own agents verify its server."""
    for one, other in itertools.product(records, repeat=2):
        trusted, leafs = one["tls"]["ca_fingerprints"], other["tls"]["leafs"]
        signers = {leafs[leaf]["issuer"] for leaf in SHOWN_TO_PEERS if leaf in leafs}
        # A signer that the cluster itself does not know has no fingerprint: whether others know it nobody can tell.
        unknown = {""} if one is not other else set()
        for signer in signers - set(trusted) - unknown:
            who = {"one": one["name"], "other": other["name"]}
            words = {"trusted": _short(trusted), "signer": _short(filter(None, [signer]))}
            yield finding("CA_MISMATCH", [one, other], **who, **words)
            since = flavour(one["version"]).bundle_from
            if one["kvstoremesh"] and parts(one["version"]) < since:
                version = {"version": one["version"], "since": ".".join(map(str, since))}
                yield finding("CA_BUNDLE_OLD", [one], name=one["name"], **version)


def _short(fingerprints: Any) -> str:
    """Return the first characters of each fingerprint: enough to tell them apart."""
    return ", ".join(f"CA {each[:12]}" for each in sorted(fingerprints)) or "no known CA"


def _ends(record: Record, now: datetime, cert_warn_days: int) -> Iterator[Finding]:
    for leaf, certificate in record["tls"]["leafs"].items():
        words = {"leaf": leaf, "name": record["name"], "method": record["tls"]["method"]}
        left = datetime.fromisoformat(certificate["not_after"]) - now
        if left.total_seconds() <= 0:
            yield finding("CERT_EXPIRED", [record], **words, end=certificate["not_after"])
        elif left.days < cert_warn_days:
            yield finding("CERT_EXPIRING", [record], **words, days=left.days)
