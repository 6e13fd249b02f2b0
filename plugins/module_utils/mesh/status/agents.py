# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What agents and KVStoreMesh say of the peers, and what is missing of what is expected. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

_SYNCED = ("nodes", "endpoints", "identities", "services")
_COUNTS = {"nodes": "num-nodes", "endpoints": "num-endpoints", "services": "num-shared-services"}
_NAMED = 3

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
