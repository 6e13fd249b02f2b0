# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One run of module cilium_clustermesh_info: wait, read the record, ask the pods."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...kubernetes.client import Cluster
from ...kubernetes.exec import Pods
from ...kubernetes.module import ClusterModule
from ...kubernetes.rollout import wait_for_workload
from ..chart import DEPLOYMENT, SERVICE
from ..record import build
from ..record.client import DEPLOYMENTS, NODES, SERVICES, fetch
from ..record.client import record as of_parts
from . import agents, tls
from .agents import Expected
from .client import View, Viewer
from .tls import Wanted

OF_OBJECTS = ["endpoint", "deployment"]
OF_PODS = ["kvstoremesh", "agents", "node_count", "traffic", "bundle"]
_POLL_SECONDS = 1


class Info:
    """One run of the module."""

    def __init__(self, module: ClusterModule, cluster: Cluster) -> None:
        """Take the options."""
        self.module, self.cluster, self.wanted = module, cluster, module.params
        self.waits = self.wanted["wait_for"] if self.wanted["wait"] and not module.check_mode else []
        self.deadline = time.monotonic() + self.wanted["wait_timeout"]
        self.endpoint = {key: self.wanted[key] for key in ("node_address", "node_count")}
        self.endpoint["override"] = self.wanted["endpoint"]

    def objects(self) -> list[str]:
        """Wait for what the API server knows; return what is missing."""
        namespace, found = self.wanted["namespace"], []
        if "deployment" in self.waits:
            path = DEPLOYMENTS.format(namespace=namespace)
            found.append(wait_for_workload(self.cluster, path, DEPLOYMENT, self.left()))
        if "endpoint" in self.waits:
            found.append(wait_for_endpoint(self.cluster, namespace, self.endpoint, self.left()))
        return [text for text in found if text]

    def left(self) -> float:
        """Seconds until the time is over."""
        return float(self.deadline - time.monotonic())

    def record(self) -> dict[str, Any]:
        """Read the record; empty where check mode finds no Cilium."""
        parts = ["identity", *self.wanted["gather"]]
        raw = fetch(self.cluster, self.wanted["namespace"], parts)
        context = self.wanted["context"] or f"current context of {self.wanted['kubeconfig']}"
        if raw["config"] is None or raw["agents"] is None:
            if self.module.check_mode:
                return {}
            self.module.fail_json(
                msg=f"There is no Cilium in namespace {self.wanted['namespace']} of {self.cluster.host} ({context}): "
                "install it first, or set namespace."
            )
        where = {"context": context, "namespace": self.wanted["namespace"]}
        return dict(of_parts(raw, parts, where, self.endpoint))

    def viewer(self, record: dict[str, Any]) -> Viewer:
        """Look into the cluster's pods."""
        pods = Pods(self.wanted["kubeconfig"], self.wanted["context"])
        return Viewer(self.cluster, pods.run, self.wanted["namespace"], record["kvstoremesh"])

    def reach(self, record: dict[str, Any]) -> list[str]:
        """Add which endpoints take connections, when that is wanted; wait for it; return what is missing."""
        if not record or "reach" not in [*self.wanted["gather"], *self.waits]:
            return []
        viewer, own = self.viewer(record), record["name"]
        others = [each for each in self.wanted["expect"] if each["name"] != own]
        seconds = self.left() if "reach" in self.waits else 0
        record["reach"], found = poll(
            lambda: viewer.reach(others), lambda seen: unreached(own, "endpoint", seen), seconds
        )
        return found

    def pods(self, record: dict[str, Any]) -> list[str]:
        """Add to the record what pods say, when that is wanted; wait for it; return what is missing."""
        gather, asked = self.wanted["gather"], [each for each in OF_PODS if each in self.waits]
        if not record or not ({"status", "traffic"} & {*gather} or asked):
            return []
        own, count = record["name"], "node_count" in self.wanted["wait_for"]
        expected = agents.expected(self.wanted["expect"], own, count)
        names = [peer.name for peer in expected] or [*record.get("peers", {})]
        viewer, probes = self.viewer(record), "traffic" in [*gather, *asked]
        trust = None
        if "bundle" in asked:
            trust = tls.wanted(self.wanted["ca_bundle"], self.wanted["ca_cert"])
        fingerprint = self.wanted["ca_fingerprint"] if trust else None

        def lacks(view: View) -> list[str]:
            allowed = self.wanted["max_unready_agents"]
            return missing(view, own, expected, self.wanted["wait_for"], allowed, trust)

        seconds = self.left() if asked else 0
        view, found = poll(lambda: viewer.look(names, probes, fingerprint), lacks, seconds)
        record["status"] = agents.summary(view.agents, view.kvstoremesh or [])
        if view.traffic is not None:
            record["traffic"] = view.traffic
        return found


def wait_for_endpoint(cluster: Cluster, namespace: str, options: dict[str, Any], seconds: float) -> str:
    """Watch until there is something that peers can dial; return what lacks when the time is over."""
    deadline = time.monotonic() + seconds
    if options["override"]:
        return ""

    def usable(services: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> bool:
        return build.usable(build.endpoint(services[0] if services else None, nodes, **options))

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
