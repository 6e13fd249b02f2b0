# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read what a cluster's record is made of, at once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ...kubernetes.client import CONNECTIONS, ApiError, Cluster
from ..chart import AGENT_SECRET, CONFIG, DEPLOYMENT, KVSTOREMESH_SECRET, LEAFS, SERVICE
from . import build

_CORE, _APPS = "/api/v1/namespaces/{namespace}", "/apis/apps/v1/namespaces/{namespace}"
NODES = "/api/v1/nodes"
SERVICES, DEPLOYMENTS = f"{_CORE}/services", f"{_APPS}/deployments"

# Where each object of build.Raw is; a path that ends in its kind is a list.
_PATHS = {
    "config": f"{_CORE}/configmaps/{CONFIG}",
    "agents": f"{_APPS}/daemonsets/cilium",
    "apiserver": f"{DEPLOYMENTS}/{DEPLOYMENT}",
    "service": f"{SERVICES}/{SERVICE}",
    "nodes": NODES,
    "cilium_nodes": "/apis/cilium.io/v2/ciliumnodes",
    "service_cidr": "/apis/networking.k8s.io/v1/servicecidrs/kubernetes",
    "kubeadm": "/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
    "cronjob": "/apis/batch/v1/namespaces/{namespace}/cronjobs/clustermesh-apiserver-generate-certs",
    **{name: f"{_CORE}/secrets/{name}" for name in (AGENT_SECRET, KVSTOREMESH_SECRET, *LEAFS.values())},
}
_LISTS = ("nodes", "cilium_nodes")

# What each part of the record is made of.
SOURCES = {
    "identity": ("config", "agents", "apiserver"),
    "network": ("nodes", "cilium_nodes", "service_cidr", "kubeadm"),
    "endpoint": ("service", "nodes"),
    "tls": ("cronjob", *LEAFS.values()),
    "peers": (AGENT_SECRET, KVSTOREMESH_SECRET),
    "helm": (AGENT_SECRET,),
}


class Unreadable(Exception):
    """Objects cannot be read; the text says which and why, all of them."""


def fetch(cluster: Cluster, namespace: str, parts: Iterable[str]) -> build.Raw:
    """Return the objects of these parts. Raise Unreadable for what is refused, Unreachable without an answer."""
    names = list(dict.fromkeys(name for part in parts for name in SOURCES.get(part, ())))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = {
            name: pool.submit(_read, cluster, _PATHS[name].format(namespace=namespace), name in _LISTS)
            for name in names
        }
    refused = [str(job.exception()) for job in jobs.values() if isinstance(job.exception(), ApiError)]
    if refused:
        raise Unreadable("; ".join(refused))
    return {name: job.result() for name, job in jobs.items()}


def _read(cluster: Cluster, path: str, is_list: bool) -> Any:
    found = cluster.get(path)
    if is_list:
        return (found or {}).get("items") or []
    if found and found.get("kind") == "Secret":
        # Nobody here needs a key, so that none can be shown.
        found["data"] = {name: value for name, value in (found.get("data") or {}).items() if not name.endswith(".key")}
    return found


def record(raw: build.Raw, parts: Iterable[str], where: dict[str, Any], endpoint: dict[str, Any]) -> Any:
    """Return the record of these parts; where is its context and namespace, endpoint the options of its endpoint."""
    found = {**build.identity(raw), **where}
    if "network" in parts:
        found |= build.network(raw)
    if "endpoint" in parts:
        found["endpoint"] = build.endpoint(raw["service"], raw["nodes"], **endpoint)
    if "tls" in parts:
        found["tls"] = build.tls(raw, raw["cronjob"] is not None, datetime.now(UTC))
        found["auth_mode"] = build.auth_mode(raw, found["tls"]["leafs"].get("remote", {}).get("cn", ""))
    if "peers" in parts:
        found |= build.peers(raw)
    if "helm" in parts:
        found |= build.helm(raw)
    return found
