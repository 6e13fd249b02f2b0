# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The table of services at the end of a run. Pure.

An entry is one item of `services.json` in ConfigMap flux-system/platform-services, which the role `service` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .clusters import REASON_WIDTH, aligned

Row = dict[str, Any]
COLUMNS = ("service", "cluster", "ready", "version", "revision", "url", "reason")
# Default port of `./odp connect`.
PORT = 8080


def hostnames(described: Mapping[str, Iterable[Row]]) -> dict[tuple[str, str], list[str]]:
    """Host names of services with a route in `connect`, by (cluster, service), the shortest first.

    Each has <host>.<cluster>.localhost; <host>.localhost belongs to the first cluster by name.
    """
    found: dict[tuple[str, str], list[str]] = {}
    taken = set()
    for cluster in sorted(described):
        for entry in described[cluster]:
            if host := entry.get("host"):
                short = [] if host in taken else [f"{host}.localhost"]
                found[cluster, entry["name"]] = [*short, f"{host}.{cluster}.localhost"]
                taken.add(host)
    return found


def rows(described: Mapping[str, Iterable[Row]], seen: Mapping[str, Iterable[Row]]) -> list[Row]:
    """One row for each service of each cluster, including objects of Flux without a description.

    described: entries by cluster.
    seen: by cluster the value `services` of module flux_ready.
    """
    hosts = hostnames(described)
    found = []
    for cluster in sorted({*described, *seen}):
        known = {entry["name"]: entry for entry in described.get(cluster, [])}
        objects: dict[str, list[Row]] = {name: [] for name in known}
        for each in seen.get(cluster, []):
            objects.setdefault(each["name"], []).append(each)
        for name in sorted(objects):
            row = {"name": name, "cluster": cluster, **_state(known.get(name, {}), objects[name])}
            row["url"] = _url(known.get(name, {}), hosts.get((cluster, name), []))
            found.append(row)
    return found


def _state(entry: Row, objects: list[Row]) -> Row:
    """Whether all objects of a service are ready, or why not.

    It is waiting when an image is not available, or when all its objects that are not ready are suspended.
    """
    unready = [each for each in objects if not each["ready"]]
    reasons = [f"{each['kind']}: {each.get('reason') or 'not ready'}" for each in unready]
    if not objects:
        reasons = ["Flux has no object of it yet"]
    suspended = bool(unready) and all(each.get("state") == "suspended" for each in unready)
    lack = entry.get("waiting") or ""
    revisions = [each["revision"] for each in objects if "sha256:" in (each.get("revision") or "")]
    return {
        "ready": bool(objects) and not unready and not lack,
        "waiting": bool(lack) or suspended,
        "version": entry.get("version") or "",
        "revision": revisions[0].rpartition("sha256:")[2][:12] if revisions else "",
        "reason": lack or "; ".join(reasons),
    }


def _url(entry: Row, hosts: list[str]) -> str:
    """The URL at the Gateway, or else the one of `connect`."""
    return entry.get("url") or (f"http://{hosts[0]}:{PORT}" if hosts else "")


def joined(status: Row, found: list[Row]) -> Row:
    """The object of `status --json` with its services; a waiting one does not count as a failure."""
    well = all(row["ready"] or row["waiting"] for row in found)
    return {**status, "ok": status["ok"] and well, "services": found}


def table(found: list[Row]) -> list[str]:
    """Lines below the table of clusters, one for each service; none without services."""
    cells = [
        (
            row["name"],
            row["cluster"],
            "yes" if row["ready"] else "unavailable" if row["waiting"] else "no",
            row["version"] or "-",
            row["revision"] or "-",
            row["url"] or "-",
            " ".join(row["reason"].split())[:REASON_WIDTH] or "ok",
        )
        for row in found
    ]
    return ["", *aligned([COLUMNS, *cells])] if cells else []
