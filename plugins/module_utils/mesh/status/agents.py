# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What agents and KVStoreMesh say of the peers, what lacks of what is expected, and what packets reach. Pure.

cilium-health probes by itself, but each address only about once a minute, and says the old answer in between; so the
nodes that the agent knows are asked for, and each gets a new connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..chart import host_port

_SYNCED = ("nodes", "endpoints", "identities", "services")
_COUNTS = {"nodes": "num-nodes", "endpoints": "num-endpoints", "services": "num-shared-services"}
_NAMED = 3
LIST = ["cilium-dbg", "node", "list", "-o", "json"]
_PORT = 4240
_SECONDS = 3
# So many nodes of a peer stand for all of them.
_NODES = 8
# Prints each host/port that takes a connection; the others are still being waited for when the time is over.
_SCRIPT = 'for at; do { exec 3<>"/dev/tcp/$at" && echo "$at"; } 2>/dev/null & done; wait'

Remote = dict[str, Any]  # Cilium's model RemoteCluster; what is false or 0 is left out of it


class Seen(NamedTuple):
    """What one pod says: its peers by name, or in error why it says nothing."""

    pod: str
    clusters: dict[str, Remote]
    error: str = ""


class Expected(NamedTuple):
    """A peer as it must be seen; nodes is the least number of its nodes."""

    name: str
    id: int
    nodes: int = 0


def of_agent(text: str) -> dict[str, Remote]:
    """Return the peers in the output of ``cilium-dbg status -o json``. Raise ValueError for what is no such output."""
    return _by_name((json.loads(text).get("cluster-mesh") or {}).get("clusters") or [])


def of_kvstoremesh(stdout: str, stderr: str, code: int) -> dict[str, Remote] | None:
    """Return the peers in the output of ``kvstoremesh-dbg status -o json``; None where there is no such command yet.

    It prints an empty list while a peer drains. Raise ValueError with the words it ended with.
    """
    if code and "unknown command" in stderr:
        return None
    if code:
        raise ValueError(stderr.strip() or stdout.strip() or f"it ended with {code}")
    return _by_name(json.loads(stdout) or [])


def _by_name(clusters: list[Remote]) -> dict[str, Remote]:
    return {each["name"]: each for each in clusters}


def expected(records: Iterable[dict[str, Any]], own: str, count_nodes: bool) -> list[Expected]:
    """Return what must be seen of the records, the cluster's own left out; each needs a name and an id only."""
    return [
        Expected(each["name"], int(each["id"]), len(each.get("node_ips") or [None]) if count_nodes else 0)
        for each in sorted(records, key=lambda each: str(each["name"]))
        if each["name"] != own
    ]


def lack(remote: Remote | None, wanted: Expected | None = None) -> str:
    """Return why a peer is not as it must be; an empty text is well."""
    if remote is None:
        return "does not know this peer: the kubelet has not refreshed the Secret, or the drain grace period goes on"
    config, synced = remote.get("config") or {}, remote.get("synced") or {}
    found = config.get("cluster-id", 0)
    if not remote.get("connected"):
        return f"not connected: {remote.get('status', 'no reason given')}"
    if wanted and found and found != wanted.id:
        return f"reaches a cluster with id {found}, expected is {wanted.id}: its endpoint belongs to another cluster"
    if not remote.get("ready"):
        waits = [name for name in _SYNCED if not synced.get(name)]
        if config.get("required") and not config.get("retrieved"):
            return "connected, but its cluster configuration has not arrived"
        return f"not in sync yet: {', '.join(waits)}" if waits else f"not ready: {remote.get('status', '')}"
    if wanted and remote.get("num-nodes", 0) < wanted.nodes:
        return f"knows {remote.get('num-nodes', 0)} of its {wanted.nodes} nodes"
    return ""


def summary(agents: list[Seen], kvstoremesh: list[Seen]) -> dict[str, Any]:
    """Return the record's status: counts are the least that any agent reports."""
    well = [each for each in agents if not each.error and not any(map(lack, each.clusters.values()))]
    answered = [each.clusters for each in agents if not each.error]
    names = sorted({name for clusters in answered for name in clusters})
    mirrored = sorted({name for each in kvstoremesh for name in each.clusters})
    return {
        "agents": {"total": len(agents), "ready": len(well)},
        "kvstoremesh": {name: not any(lack(each.clusters.get(name)) for each in kvstoremesh) for name in mirrored},
        "clusters": {name: _cluster([clusters.get(name) for clusters in answered]) for name in names},
    }


def _cluster(remotes: list[Remote | None]) -> dict[str, Any]:
    known = [each for each in remotes if each]
    errors = [text for text in map(lack, remotes) if text]
    counts = {name: min(each.get(key, 0) for each in known) for name, key in _COUNTS.items()}
    cluster_id = max((each.get("config") or {}).get("cluster-id", 0) for each in known)
    return {"ready": not errors, "cluster_id": cluster_id, **counts, "error": errors[0] if errors else ""}


def reasons(own: str, wanted: list[Expected], words: str, seen: list[Seen], allowed: int = 0) -> list[str]:
    """Return what is missing in words, by peer; words names the kind of pod. Allowed is how many pods may lack some."""
    if not seen:
        return [f"cluster {own}: there is no pod of {words}"]
    lacks: dict[tuple[str, str], list[str]] = {}
    for each in seen:
        if each.error:
            lacks.setdefault(("", each.error), []).append(each.pod)
            continue
        for peer in wanted:
            text = lack(each.clusters.get(peer.name), peer)
            if text:
                lacks.setdefault((peer.name, text), []).append(each.pod)
    if len({pod for pods in lacks.values() for pod in pods}) <= allowed:
        return []
    return [
        f"cluster {own}{f', peer {peer}' if peer else ''}: {words} {_names(pods)}: {text}"
        for (peer, text), pods in sorted(lacks.items())
    ]


def _names(pods: list[str]) -> str:
    more = len(pods) - _NAMED
    return ", ".join(sorted(pods)[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class Target(NamedTuple):
    """A host and port that takes connections when packets pass, and what is there in words."""

    words: str
    host: str
    port: int = _PORT

    @property
    def at(self) -> str:
        """As bash names it below /dev/tcp."""
        return f"{self.host}/{self.port}"


def targets(text: str, peers: Iterable[str]) -> dict[str, list[Target]]:
    """Return what to connect to by peer, from the output of LIST in one agent: nodes, and on each the pod to be probed.

    Agents may run without that pod. Further addresses are left out: an external one need not be reachable.
    Raise ValueError for what is no such output.
    """
    nodes: dict[str, list[dict[str, Any]]] = {}
    for node in json.loads(text) or []:
        nodes.setdefault(node["name"].partition("/")[0], []).append(node)
    return {peer: [target for node in nodes.get(peer, [])[:_NODES] for target in _of(node)] for peer in sorted(peers)}


def endpoints(records: Iterable[dict[str, Any]]) -> dict[str, list[Target]]:
    """Return where the clustermesh-apiserver of each record may be found, by the record's name."""
    return {record["name"]: [*_ends(**record["endpoint"])] for record in records}


def command(wanted: dict[str, list[Target]]) -> list[str]:
    """Return the command that prints which targets answer."""
    places = [each.at for all_ in wanted.values() for each in all_]
    return ["timeout", str(_SECONDS), "bash", "-c", _SCRIPT, "probe", *places]


def judge(wanted: dict[str, list[Target]], printed: str) -> dict[str, dict[str, Any]]:
    """Return reachable and reason of each peer: all of its targets must have answered."""
    answered, found = {*printed.split()}, {}
    for peer, places in wanted.items():
        silent = [f"{each.words} ({each.host})" for each in places if each.at not in answered]
        lacks = "; ".join(f"{each} does not answer within {_SECONDS} s" for each in silent)
        reason = lacks if places else "no node of it is known"
        found[peer] = {"reachable": not reason, "reason": reason}
    return found


def dialled(wanted: dict[str, list[Target]], printed: str) -> dict[str, dict[str, Any]]:
    """Return reachable and reason of each peer: one of its targets must have answered."""
    answered, found = {*printed.split()}, {}
    for peer, places in wanted.items():
        reachable = any(each.at in answered for each in places)
        words = ", ".join(each.words for each in places) or "an endpoint without address"
        reason = "" if reachable else f"no connection to {words} within {_SECONDS} s"
        found[peer] = {"reachable": reachable, "reason": reason}
    return found


def _of(node: dict[str, Any]) -> list[Target]:
    places = (("primary-address", "node"), ("health-endpoint-address", "pod of node"))
    found = [(words, _ip(node.get(place) or {})) for place, words in places]
    return [Target(f"{words} {node['name']}", ip) for words, ip in found if ip]


def _ip(address: dict[str, Any]) -> str:
    return next((found for family in ("ipv4", "ipv6") if (found := (address.get(family) or {}).get("ip"))), "")


def _ends(ips: Iterable[str] = (), address: str = "", port: int = 0, **_others: Any) -> Iterator[Target]:
    for host in filter(None, (*ips, address)):
        yield Target(host_port(host, port), host, port)
