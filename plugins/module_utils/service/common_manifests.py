# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The objects that every service gets beside its own: Kustomization, namespace, policies, route, monitor. Pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest
from .manifest_checks import LEVEL
from .schema import Release

Context = dict[str, Any]

FLUX = "flux-system"
_SOURCES = "source.toolkit.fluxcd.io/v1"
# A failed release is retried in place: what runs keeps running, and no uninstall deletes data.
_RETRY = {"name": "RetryOnFailure", "retryInterval": "1m"}
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
    policy = _object("networking.k8s.io/v1", "NetworkPolicy", release["name"], release["namespace"], spec)
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
    name, namespace = release["name"], release["namespace"]
    return [_object("cilium.io/v2", "CiliumNetworkPolicy", name, namespace, spec)] if ingress else []


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
    return [_object("gateway.networking.k8s.io/v1", "HTTPRoute", release["name"], release["namespace"], spec)]


def host(release: Release, context: Context) -> str:
    """The host name of the service for its users."""
    return f"{release['route']['host']}.{context['domain']}"


def monitor(release: Release, context: Context) -> list[Manifest]:
    """The PodMonitor, where Prometheus runs."""
    if not release["monitoring"] or not context["monitoring"]:
        return []
    spec = {"selector": {}, "podMetricsEndpoints": [dict(release["monitoring"])]}
    return [_object("monitoring.coreos.com/v1", "PodMonitor", release["name"], release["namespace"], spec)]


def kustomization(release: Release, source: dict[str, str]) -> Manifest:
    """The Kustomization that applies the service, after those that it requires.

    source: kind of the source `platform`, and prefix of the tree's paths in it.
    """
    spec: dict[str, Any] = {
        "interval": "5m",
        "retryInterval": "10s",
        "timeout": f"{release['timeout']}s",
        "path": f"{source['prefix']}/services/{release['name']}",
        "sourceRef": {"kind": source["kind"], "name": "platform"},
        "prune": True,
        "wait": True,
        # Removed from the list means deleted from the cluster.
        "deletionPolicy": "WaitForTermination",
    }
    if release["requires"]:
        spec["dependsOn"] = [{"name": name} for name in release["requires"]]
    return _object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", release["name"], FLUX, spec)


def chart(release: Release) -> list[Manifest]:
    """Source and HelmRelease of the upstream chart."""
    wanted, name, namespace = release["chart"], release["name"], release["namespace"]
    if wanted["repo"].startswith("oci://"):
        kind = "OCIRepository"
        source: dict[str, Any] = {"interval": "1h", "url": f"{wanted['repo'].rstrip('/')}/{wanted['name']}"}
        source |= {"ref": {"tag": wanted["version"]}}
        origin: dict[str, Any] = {"chartRef": {"kind": kind, "name": name}}
    else:
        kind = "HelmRepository"
        source = {"interval": "1h", "url": wanted["repo"]}
        reference = {"kind": kind, "name": name}
        inside = {"chart": wanted["name"], "version": wanted["version"], "sourceRef": reference}
        origin = {"chart": {"spec": inside}}
    spec = {
        "interval": "1h",
        "timeout": f"{release['timeout']}s",
        "releaseName": name,
        **origin,
        "install": {"crds": "CreateReplace", "strategy": dict(_RETRY)},
        "upgrade": {"crds": "CreateReplace", "strategy": dict(_RETRY)},
        "driftDetection": {"mode": "enabled"},
        "values": release["values"],
    }
    return [
        _object(_SOURCES, kind, name, namespace, source),
        _object("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, namespace, spec),
    ]


def _object(version: str, kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
