# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who is in the mesh of a fleet, who left it, and who has not heard of it yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .chart import DOMAIN, MANAGER

Record = dict[str, Any]


def records(members: Iterable[str], hostvars: Mapping[str, Any], others: Mapping[str, Any]) -> list[Record]:
    """Records of all members that answered, in the order of their names.

    :param members: the clusters of the mesh.
    :param hostvars: of each cluster of this run ``__clustermesh_self``, what module cilium_clustermesh_info returned,
        ``__clustermesh_reached``, what it returned of the endpoints of others, and ``__clustermesh_asked``, what a loop
        of module node_reach over its nodes returned.
    :param others: what a loop of that module over the other clusters returned.
    """
    asked = [_fact(hostvars, name, "__clustermesh_self") for name in members]
    found = [answer.get("cluster") for answer in [*asked, *others.get("results", [])]]
    known = sorted((record for record in found if record and record["name"] in members), key=lambda each: each["name"])
    return [{**record, **_reach(hostvars, record["name"]), **_unreached(hostvars, record["name"])} for record in known]


def first_nodes(found: Iterable[Record]) -> dict[str, str]:
    """One address of each cluster's nodes, by its name."""
    return {each["name"]: each["node_ips"][0] for each in found if each["node_ips"]}


def new_peers(record: Record, found: Iterable[Record]) -> list[Record]:
    """Those of the other members' records whose endpoint is not what the cluster's own record dials."""
    others = [each for each in found if record and each["name"] != record["name"]]
    return [each for each in others if _dialled(record, each["name"]) != _announced(each)]


def removed_peers(record: Record, name: str, members: Iterable[str], absent: Iterable[str]) -> list[dict[str, str]]:
    """Peers that a cluster must forget, as option peers of module cilium_clustermesh.

    :param record: the cluster's own.
    :param name: the cluster's name.
    :param members: the clusters of the mesh.
    :param absent: clusters that were declared to have left. Of the others only entries of this collection go.
    """
    peers = record.get("peers") or {}
    ours = {peer for peer, entry in peers.items() if MANAGER in entry["managed_by"].split(", ")}
    left = (ours if name in absent else ours - {*members}) | ({*absent} & {*peers})
    return [{"name": peer} for peer in sorted(left - {name})]


def behind(found: Iterable[Record], silent: Iterable[str]) -> list[str]:
    """Which clusters that this run did not write to lack an entry of a peer, or have another one.

    :param found: records of all members that answered.
    :param silent: clusters that this run did not write to.
    """
    found = list(found)
    lines = []
    for record in found:
        if record["name"] not in silent:
            continue
        stale = [each["name"] for each in new_peers(record, found)]
        if stale:
            lines.append(
                f"{record['name']}: its entry for {', '.join(stale)} is outdated: run without --limit, or include it"
            )
    return lines


def _fact(hostvars: Mapping[str, Any], name: str, fact: str) -> dict[str, Any]:
    return (hostvars[name].get(fact) or {}) if name in hostvars else {}


def _reach(hostvars: Mapping[str, Any], name: str) -> dict[str, Any]:
    reach = (_fact(hostvars, name, "__clustermesh_reached").get("cluster") or {}).get("reach")
    return {"reach": reach} if reach else {}


def _unreached(hostvars: Mapping[str, Any], name: str) -> dict[str, Any]:
    """By peer the cluster's nodes that do not reach it, each with the reason."""
    found: dict[str, dict[str, str]] = {}
    for answer in _fact(hostvars, name, "__clustermesh_asked").get("results", []):
        for peer, reason in (answer.get("unreached") or {}).items():
            found.setdefault(peer, {})[answer["item"]] = reason
    return {"unreached": found} if found else {}


def _dialled(record: Record, peer: str) -> tuple[list[str], list[str]]:
    entry = (record.get("peers") or {}).get(peer) or {"endpoints": [], "ips": []}
    return sorted(entry["endpoints"]), sorted(entry["ips"])


def _announced(record: Record) -> tuple[list[str], list[str]]:
    endpoint = record["endpoint"]
    if endpoint["address"]:
        return [f"https://{endpoint['address']}:{endpoint['port']}"], []
    return [f"https://{record['name']}.{DOMAIN}:{endpoint['port']}"], sorted(endpoint["ips"])
