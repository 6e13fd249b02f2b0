# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether clusters can be one mesh: every rule over every record, all findings at once."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ...findings import Finding
from ..chart import minor
from . import endpoint, network, trust
from .messages import Record, finding, grouped, listed, quoted

NAME = re.compile(r"([a-z0-9][-a-z0-9]*)?[a-z0-9]")
LONGEST_NAME = 32
# Older ones name the agents' certificates otherwise (cilium 1.16: common-).
OLDEST = (1, 17)
# These keep bits of the mark that an id from 128 on needs as well.
BUGGY_IPAM = ("eni", "alibabacloud")


def judge(
    records: list[Record],
    now: datetime,
    *,
    underlay_mtu: int = 0,
    cert_warn_days: int = 30,
    max_minor_skew: int = 1,
    ignore: Collection[str] = (),
) -> list[Finding]:
    """Return what is wrong with a mesh of these clusters, but the codes to ignore; errors first, each once.

    underlay_mtu: bytes of a packet between nodes, 0 = not known. The order of the records does not matter.
    """
    ordered = sorted(records, key=lambda record: (record["name"], json.dumps(record, sort_keys=True)))
    found = itertools.chain(
        _identity(ordered),
        _duplicates(ordered),
        _versions(ordered, max_minor_skew),
        network.findings(ordered, underlay_mtu),
        endpoint.findings(ordered),
        trust.findings(ordered, now, cert_warn_days),
    )
    kept = {each for each in found if each.code not in ignore}
    return sorted(kept, key=lambda each: (each.severity, each.code, each))


def peers(records: list[Record]) -> dict[str, list[dict[str, Any]]]:
    """Return for each cluster all the others, in the shape of option `peers` of cilium_clustermesh."""
    every = [
        {
            "name": record["name"],
            "id": record["id"],
            "endpoint": {key: record["endpoint"][key] for key in ("ips", "address", "port")},
        }
        for record in sorted(records, key=lambda record: record["name"])
    ]
    return {own["name"]: [peer for peer in every if peer["name"] != own["name"]] for own in every}


def _identity(records: list[Record]) -> Iterator[Finding]:
    """Name, id and number of clusters."""
    for record in records:
        name, number, most = record["name"], record["id"], record["max_connected_clusters"]
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            yield finding("NAME_FORMAT", [record], name=name)
        if _unset(record):
            yield finding("NAME_DEFAULT", [record], name=name, context=record["context"] or "not given")
        if number != 0 and not 1 <= number <= most:
            yield finding("ID_RANGE", [record], id=number, name=name, most=most)
        if number & 0x80 and record["ipam"] in BUGGY_IPAM:
            yield finding("ID_BUGGY", [record], id=number, name=name, ipam=record["ipam"])
    limits = grouped(records, lambda record: record["max_connected_clusters"])
    if len(limits) > 1 or set(limits) - {255, 511}:
        yield finding("MAXCLUSTERS", records, values=listed(limits))


def _unset(record: Record) -> bool:
    return bool(record["name"] == "default" or record["id"] == 0)


def _duplicates(records: list[Record]) -> Iterator[Finding]:
    """Names and ids that two clusters have; those that were never set are another finding."""
    for one, other in itertools.combinations([record for record in records if not _unset(record)], 2):
        who = {"one": _label(one), "other": _label(other)}
        if one["name"] == other["name"]:
            yield finding("NAME_DUP", [one, other], **who, name=one["name"])
        if one["id"] == other["id"]:
            yield finding("ID_DUP", [one, other], **who, id=one["id"])


def _label(record: Record) -> str:
    """The name alone does not tell which one it is where two have the same."""
    return f"'{record['name']}' (context {record['context'] or 'not given'})"


def _versions(records: list[Record], max_minor_skew: int) -> Iterator[Finding]:
    for record in records:
        if minor(record["version"]) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            yield finding("VERSION_OLD", [record], version=record["version"], name=record["name"], oldest=oldest)
        if record["policy_default_local_cluster"]:
            yield finding("POLICY_SCOPE", [record], name=record["name"])
    most = "one minor" if max_minor_skew == 1 else f"{max_minor_skew} minors"
    groups = grouped(records, lambda record: (*minor(record["version"]), record["version"]))
    for (old, olds), (new, news) in itertools.combinations(groups.items(), 2):
        if new[0] != old[0] or new[1] - old[1] > max_minor_skew:
            words = {"old": old[2], "olds": quoted(olds), "new": new[2], "news": quoted(news)}
            yield finding("VERSION_SKEW", [*olds, *news], **words, most=most)
