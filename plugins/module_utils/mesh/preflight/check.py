# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether clusters can be one mesh: every rule over every record, all findings at once.

A cluster without any certificate is not judged by them: cilium_clustermesh_certs may issue them afterwards.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ...findings import Finding
from ..chart import BUNDLE_SINCE, DOMAIN, address, flavour, host_port, minor, parts
from ..record.build import Network, collapse
from .messages import Record, finding, grouped, listed, quoted

NAME = re.compile(r"([a-z0-9][-a-z0-9]*)?[a-z0-9]")
LONGEST_NAME = 32
# Older ones name the agents' certificates otherwise (cilium 1.16: common-).
OLDEST = (1, 17)
# These keep bits of the mark that an id from 128 on needs as well.
BUGGY_IPAM = ("eni", "alibabacloud")
# Bytes that Cilium adds to a packet (cilium pkg/mtu/mtu.go); it takes them off the MTU of its chart itself.
TUNNEL_OVERHEAD = 50
ENCRYPTION_OVERHEAD = {"wireguard": 80, "ipsec": 77}
# What a peer verifies: the server when it dials, the remote certificate when it is dialled.
SHOWN_TO_PEERS = ("server", "remote")


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

    now: with a time zone. underlay_mtu: bytes of a packet between nodes, 0 = not known. cert_warn_days: days left from
    which on an end is a warning. The order of the records does not matter.
    """
    ordered = sorted(records, key=lambda record: (record["name"], json.dumps(record, sort_keys=True)))
    found = itertools.chain(
        _identity(ordered),
        _duplicates(ordered),
        _versions(ordered, max_minor_skew),
        _addresses(ordered),
        _tried(ordered),
        _datapath(ordered),
        _encryption(ordered),
        _mtu(ordered, underlay_mtu),
        _endpoints(ordered),
        _certificates(ordered, now, cert_warn_days),
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
            yield finding("NAME_FORMAT", [record])
        if _unset(record):
            yield finding("NAME_DEFAULT", [record], context=record["context"] or "not given")
        if number != 0 and not 1 <= number <= most:
            yield finding("ID_RANGE", [record], id=number, most=most)
        if number & 0x80 and record["ipam"] in BUGGY_IPAM:
            yield finding("ID_BUGGY", [record], id=number, ipam=record["ipam"])
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
            yield finding("NAME_DUP", [one, other], **who)
        if one["id"] == other["id"]:
            yield finding("ID_DUP", [one, other], **who, id=one["id"])


def _label(record: Record) -> str:
    """The name alone does not tell which one it is where two have the same."""
    return f"'{record['name']}' (context {record['context'] or 'not given'})"


def _versions(records: list[Record], max_minor_skew: int) -> Iterator[Finding]:
    for record in records:
        if minor(record["version"]) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            yield finding("VERSION_OLD", [record], version=record["version"], oldest=oldest)
        if record["policy_default_local_cluster"]:
            yield finding("POLICY_SCOPE", [record])
    most = "one minor" if max_minor_skew == 1 else f"{max_minor_skew} minors"
    groups = grouped(records, lambda record: (*minor(record["version"]), record["version"]))
    for (old, olds), (new, news) in itertools.combinations(groups.items(), 2):
        if new[0] != old[0] or new[1] - old[1] > max_minor_skew:
            words = {"old": old[2], "olds": quoted(olds), "new": new[2], "news": quoted(news)}
            yield finding("VERSION_SKEW", [*olds, *news], **words, most=most)


def _endpoints(records: list[Record]) -> Iterator[Finding]:
    """Whether peers can dial each cluster: address, port, the name in its server certificate."""
    for record in records:
        endpoint = record["endpoint"]
        if endpoint["type"] == "ClusterIP":
            yield finding("CLUSTERIP", [record])
        elif not _announced(record):
            yield finding("NO_ENDPOINT", [record], type=endpoint["type"])
        else:
            yield from _san(record)
    for one, other in itertools.combinations(records, 2):
        if _clash(one, other):
            yield finding("NODEPORT_CLASH", [one, other], port=one["endpoint"]["port"])
        for endpoint in _announced(one) & _announced(other):
            yield finding("ENDPOINT_DUP", [one, other], endpoint=endpoint)


def _tried(records: list[Record]) -> Iterator[Finding]:
    """What agents and nodes tried; records hold it of peers without an entry only."""
    for one, other in itertools.permutations(records, 2):
        reach = (one.get("reach") or {}).get(other["name"])
        if reach and not reach["reachable"]:
            yield finding("UNREACHABLE", [one, other], reason=reach["reason"])
        if silent := (one.get("unreached") or {}).get(other["name"]):
            nodes = ", ".join(f"{node} ({reason})" for node, reason in sorted(silent.items()))
            yield finding("NODES_UNREACHED", [one, other], ip=other["node_ips"][0], nodes=nodes)


def canonical(host: str) -> str:
    """Return the one way to write an IP address or a DNS name."""
    return address(host) or host.lower().rstrip(".")


def covers(san: str, host: str) -> bool:
    """Return whether a name in a certificate is the host's; a leading * is one label of a DNS name."""
    san, host = canonical(san), canonical(host)
    label, _, parent = host.partition(".")
    return san == host or (san.startswith("*.") and bool(label) and san[2:] == parent)


def _announced(record: Record) -> set[str]:
    """Return every host:port at which peers may find the cluster; none without a port."""
    endpoint = record["endpoint"]
    hosts = [canonical(host) for host in (*endpoint["ips"], endpoint["address"]) if host]
    return {host_port(host, endpoint["port"]) for host in hosts if endpoint["port"]}


def _clash(one: Record, other: Record) -> bool:
    """Kube-proxy replacement took a node port of a remote node for its own."""
    both, ends = (one, other), (one["endpoint"], other["endpoint"])
    if any(end["type"] != "NodePort" for end in ends) or ends[0]["port"] != ends[1]["port"]:
        return False
    return any(each["kube_proxy_replacement"] and flavour(each["version"]).nodeport_must_differ for each in both)


def _san(record: Record) -> Iterator[Finding]:
    """Peers that dial IP addresses verify an alias; whoever dials an address verifies that."""
    server = record["tls"]["leafs"].get("server")
    endpoint = record["endpoint"]
    host = endpoint["address"] or f"{record['name']}.{DOMAIN}"
    if server and not any(covers(san, host) for san in server["sans"]):
        dialled = host_port(host, endpoint["port"])
        yield finding("SAN_MISSING", [record], san=host, endpoint=dialled)


def _certificates(records: list[Record], now: datetime, cert_warn_days: int) -> Iterator[Finding]:
    """Whether clusters trust each other: CAs, ends of certificates, names in them."""
    judged = [record for record in records if record["tls"]["leafs"]]
    yield from _authorities(judged)
    for record in judged:
        yield from _ends(record, now, cert_warn_days)
        leafs, name = record["tls"]["leafs"], record["name"]
        if record["kvstoremesh"] and "local" not in leafs:
            yield finding("LOCAL_CERT", [record], method=record["tls"]["method"])
        if record["auth_mode"] == "cluster" and "remote" in leafs and leafs["remote"]["cn"] != f"remote-{name}":
            yield finding("AUTHMODE", [record], found=leafs["remote"]["cn"])


def _authorities(records: list[Record]) -> Iterator[Finding]:
    """Each cluster against each, itself too: its own agents verify its server."""
    for one, other in itertools.product(records, repeat=2):
        trusted, leafs = one["tls"]["ca_fingerprints"], other["tls"]["leafs"]
        signers = {leafs[leaf]["issuer"] for leaf in SHOWN_TO_PEERS if leaf in leafs}
        # A signer that the cluster itself does not know has no fingerprint: whether others know it nobody can tell.
        unknown = {""} if one is not other else set()
        for signer in signers - set(trusted) - unknown:
            words = {"trusted": _short(trusted), "signer": _short(filter(None, [signer]))}
            yield finding("CA_MISMATCH", [one, other], **words)
            if one["kvstoremesh"] and parts(one["version"]) < BUNDLE_SINCE:
                since = ".".join(map(str, BUNDLE_SINCE))
                yield finding("CA_BUNDLE_OLD", [one], version=one["version"], since=since)


def _short(fingerprints: Any) -> str:
    """Return the first characters of each fingerprint: enough to tell them apart."""
    return ", ".join(f"CA {each[:12]}" for each in sorted(fingerprints)) or "no known CA"


def _ends(record: Record, now: datetime, cert_warn_days: int) -> Iterator[Finding]:
    for leaf, certificate in record["tls"]["leafs"].items():
        words = {"leaf": leaf, "method": record["tls"]["method"]}
        left = datetime.fromisoformat(certificate["not_after"]) - now
        if left.total_seconds() <= 0:
            yield finding("CERT_EXPIRED", [record], **words, end=certificate["not_after"])
        elif left.days < cert_warn_days:
            yield finding("CERT_EXPIRING", [record], **words, days=left.days)


# Each cluster's ranges are compared with those of all others.
@functools.cache
def _networks(*cidrs: str) -> list[Network]:
    return collapse(cidrs)


def _overlaps(ones: list[str], others: list[str]) -> list[tuple[Network, Network]]:
    pairs = itertools.product(_networks(*ones), _networks(*others))
    return [(one, other) for one, other in pairs if one.version == other.version and one.overlaps(other)]


def _addresses(records: list[Record]) -> Iterator[Finding]:
    """Pods and nodes keep their addresses between clusters; services do not, so those of two may overlap."""
    for one, other in itertools.combinations(records, 2):
        for mine, theirs in _overlaps(one["pod_cidrs"], other["pod_cidrs"]):
            yield finding("CIDR_OVERLAP", [one, other], cidr=mine, other_cidr=theirs)
        for ip in set(one["node_ips"]) & set(other["node_ips"]):
            yield finding("NODE_IP_DUP", [one, other], ip=ip)
    for one, other in itertools.permutations(records, 2):
        for mine, theirs in _overlaps(one["pod_cidrs"], other["service_cidrs"]):
            yield finding("SVC_POD_OVERLAP", [one, other], cidr=mine, other_cidr=theirs)


def _mode(record: Record) -> str:
    """Cilium writes protocol and port also where no tunnel uses them."""
    path = record["datapath"]
    if path["routing_mode"] == "native":
        return "native"
    return f"{path['routing_mode']}/{path['tunnel_protocol']}/{path['tunnel_port']}"


def _datapath(records: list[Record]) -> Iterator[Finding]:
    modes = grouped(records, _mode)
    if len(modes) > 1:
        yield finding("DATAPATH", records, values=listed(modes))
    for record, other in itertools.product(modes.get("native", []), repeat=2):
        native = _networks(*filter(None, [record["datapath"]["native_cidr"]]))
        pods = [each for each in _networks(*other["pod_cidrs"]) if each.version == 4]
        outside = [str(each) for each in pods if not any(v4.version == 4 and each.subnet_of(v4) for v4 in native)]
        if outside:
            cidrs = f"{', '.join(outside)} of '{other['name']}'"
            shown = record["datapath"]["native_cidr"] or "(not set)"
            yield finding("NATIVE_CIDR", [record, other], native=shown, cidrs=cidrs)


def _cipher(record: Record) -> str:
    also = " and node encryption" if record["encryption"]["node"] else ""
    return f"{record['encryption']['type']}{also}"


def _encryption(records: list[Record]) -> Iterator[Finding]:
    for (one, ones), (other, others) in itertools.combinations(grouped(records, _cipher).items(), 2):
        words = {"one": one, "ones": quoted(ones), "other": other, "others": quoted(others)}
        yield finding("ENCRYPTION", [*ones, *others], **words)


def _overhead(record: Record) -> int:
    """Bytes that tunnel and encryption add to a packet of a pod."""
    tunnel = 0 if record["datapath"]["routing_mode"] == "native" else TUNNEL_OVERHEAD
    return tunnel + ENCRYPTION_OVERHEAD.get(record["encryption"]["type"], 0)


def _mtu(records: list[Record], underlay_mtu: int) -> Iterator[Finding]:
    """Where it is not set Cilium takes the smallest device's, which a record does not know."""
    known = [record for record in records if record["datapath"]["mtu"]]
    sizes = grouped(known, lambda record: record["datapath"]["mtu"] - _overhead(record))
    if len(sizes) > 1:
        yield finding("MTU", known, what=f"differs: {listed(sizes)}")
    for size, owners in sizes.items():
        for record in owners:
            if underlay_mtu and record["datapath"]["mtu"] > underlay_mtu:
                limit = f"underlay {underlay_mtu} minus {_overhead(record)} overhead"
                yield finding("MTU", [record], what=f"{size} of '{record['name']}' exceeds {limit}")
