# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Wait until a cluster can be dialled, and until its pods see what is expected."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...kubernetes.client import Cluster
from ..chart import SERVICE
from ..record import endpoint as record_endpoint
from ..record.client import NODES, SERVICES
from . import agents, tls
from .agents import Expected
from .client import View
from .tls import Wanted

_POLL_SECONDS = 1


def endpoint(cluster: Cluster, namespace: str, options: dict[str, Any], seconds: float) -> str:
    """Watch until there is something that peers can dial; return what lacks when the time is over."""
    deadline = time.monotonic() + seconds
    if options["override"]:
        return ""

    def usable(services: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> bool:
        return record_endpoint.usable(record_endpoint.find(services[0] if services else None, nodes, **options))

    def known(services: list[dict[str, Any]]) -> bool:
        return bool(services) and (services[0]["spec"]["type"] == "NodePort" or usable(services, []))

    where = {"fieldSelector": f"metadata.name={SERVICE}"}
    _done, services = cluster.wait(SERVICES.format(namespace=namespace), known, seconds, **where)
    if services and services[0]["spec"]["type"] != "NodePort":
        return "" if usable(services, []) else f"Service {SERVICE} has no address that peers can dial"
    if not services:
        return f"there is no Service {SERVICE}"
    done, _nodes = cluster.wait(NODES, lambda nodes: usable(services, nodes), deadline - time.monotonic())
    return "" if done else f"no Ready node has an address of type {options['node_address']}"


def missing(
    view: View, own: str, peers: list[Expected], wait_for: list[str], allowed: int, trust: Wanted | None = None
) -> list[str]:
    """Return what the pods lack of what to wait for, in words; allowed is how many agents may."""
    found = []
    if "kvstoremesh" in wait_for and view.kvstoremesh is not None:
        found += agents.reasons(own, [peer._replace(nodes=0) for peer in peers], "KVStoreMesh", view.kvstoremesh)
    if {"agents", "node_count"} & {*wait_for}:
        found += agents.reasons(own, peers, "agent", view.agents, allowed)
    if "traffic" in wait_for:
        found += unreached(own, "traffic", view.traffic or {})
    if trust and view.shaken is not None:
        names = [peer.name for peer in peers]
        for kind, shaken in view.shaken.items():
            found += tls.reasons(own, names, kind, trust, shaken)
    return found


def unreached(own: str, what: str, probed: dict[str, dict[str, Any]]) -> list[str]:
    """Return the reasons of probes that failed, in words."""
    found = sorted(probed.items())
    return [f"cluster {own}, peer {name}: {what}: {each['reason']}" for name, each in found if each["reason"]]


def poll[Seen](look: Callable[[], Seen], lacks: Callable[[Seen], list[str]], seconds: float) -> tuple[Seen, list[str]]:
    """Look until nothing lacks or the time is over; return the last view and what lacks.

    What an agent knows of its peers is no object of the API server, so there is nothing to watch.
    """
    deadline = time.monotonic() + seconds
    while True:
        view = look()
        found = lacks(view)
        if not found or time.monotonic() >= deadline:
            return view, found
        time.sleep(_POLL_SECONDS)
