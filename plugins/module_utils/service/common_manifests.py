# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The objects that every service gets beside its own: namespace, policies, route, monitor. Pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest
from .manifest_checks import LEVEL
from .schema import Release

Context = dict[str, Any]

KEPT = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
BACKUP = "opendata.platform/backup"
MONITORING = "monitoring"
GATEWAY = "gateway"
_CLUSTER_LABEL = "io.cilium.k8s.policy.cluster"
_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"


def namespace(release: Release) -> Manifest:
    """The namespace, which outlives its service."""
    labels = {LEVEL: release["pod_security"]} | ({BACKUP: "true"} if release["backup"] else {})
    metadata = {"name": release["namespace"], "labels": labels, "annotations": dict(KEPT)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def policies(release: Release, context: Context) -> list[Manifest]:
    """Network policies: only the namespace itself and its clients may connect."""
    clients = release["clients"]
    peers: list[dict[str, Any]] = [{"podSelector": {}}]
    if clients in ("all", "fleet"):
        peers.append({"namespaceSelector": {}})
    names = [] if isinstance(clients, str) else sorted(clients)
    names += [MONITORING] if release["monitoring"] and context["monitoring"] else []
    peers += [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}} for name in names]
    # Other networks than Cilium cannot select traffic from the gateway or the API server: allow all.
    ingress = [{"from": peers}] if context["cilium"] or not _entities(release, context) else [{}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}
    policy = _object("networking.k8s.io/v1", "NetworkPolicy", release, spec)
    return [policy, *(_cilium_policies(release, context) if context["cilium"] else ())]


def _entities(release: Release, context: Context) -> list[str]:
    """Clients that are not pods: the API server for webhooks, the gateway from the node's proxy."""
    found = ["kube-apiserver"] if release["chart"] else []
    return found + (["ingress"] if release["route"] and context["gateway"] else [])


def _cilium_policies(release: Release, context: Context) -> list[Manifest]:
    """Rules that NetworkPolicy cannot express: the gateway, the API server, pods of other clusters."""
    ingress: list[dict[str, Any]] = []
    entities = _entities(release, context)
    if entities:
        ingress.append({"fromEntities": entities})
    if release["clients"] == "fleet" and context["mesh"]:
        # Since Cilium 1.19 a selector without this label means the local cluster only.
        labels = [{"key": key, "operator": "Exists"} for key in (_NAMESPACE_LABEL, _CLUSTER_LABEL)]
        ingress.append({"fromEndpoints": [{"matchExpressions": labels}]})
    spec = {"endpointSelector": {}, "ingress": ingress}
    return [_object("cilium.io/v2", "CiliumNetworkPolicy", release, spec)] if ingress else []


def route(release: Release, context: Context) -> list[Manifest]:
    """The route from the gateway, where there is one."""
    if not release["route"] or not context["gateway"]:
        return []
    wanted = release["route"]
    parent = {"name": GATEWAY, "namespace": GATEWAY}
    # With certificates, plain HTTP is redirected to HTTPS by the gateway's own route.
    parent |= {"sectionName": "https"} if context["issuer"] else {}
    spec = {
        "parentRefs": [parent],
        "hostnames": [host(release, context)],
        "rules": [{"backendRefs": [{"name": wanted["service"], "port": wanted["port"]}]}],
    }
    return [_object("gateway.networking.k8s.io/v1", "HTTPRoute", release, spec)]


def host(release: Release, context: Context) -> str:
    """The host name of the service for its users."""
    return f"{release['route']['host']}.{context['domain']}"


def monitor(release: Release, context: Context) -> list[Manifest]:
    """The PodMonitor, where Prometheus runs."""
    if not release["monitoring"] or not context["monitoring"]:
        return []
    spec = {"selector": {}, "podMetricsEndpoints": [dict(release["monitoring"])]}
    return [_object("monitoring.coreos.com/v1", "PodMonitor", release, spec)]


def _object(version: str, kind: str, release: Release, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": release["name"], "namespace": release["namespace"]}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
