# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make of a cluster's objects its record: all that its peers and the preflight must know of it. Pure."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ...kubernetes import health
from ..chart import AGENT_SECRET, KVSTOREMESH_SECRET, LEAFS, MANAGER, SERVICE, flavour
from ..peers.steps import others
from ..pki import certificates as certs

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    _LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that in C is ten times as fast
    from cryptography import x509

Object = dict[str, Any]
Raw = dict[str, Any]  # objects and lists by the names of client.SOURCES; None for what is not there
PORT = 2379
_TUNNEL_PORTS = {"vxlan": 8472, "geneve": 6081}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def identity(raw: Raw) -> dict[str, Any]:
    """Return name, id, version and what runs. Raise ValueError when the objects do not tell."""
    config = _data(raw["config"])
    version = health.image_version(raw["agents"]) or _chart_version(raw)
    if not version:
        raise ValueError("the version of Cilium is unknown: the image of DaemonSet cilium has no version in its tag")
    return {
        "name": config.get("cluster-name", "default"),
        "id": _number(config, "cluster-id", 0),
        "max_connected_clusters": _number(config, "max-connected-clusters", 255),
        "version": version,
        "kvstoremesh": "kvstoremesh" in _containers(raw),
    }


def helm(raw: Raw) -> dict[str, Any]:
    """Return the version of the chart and who renders the Secret of the peers."""
    return {"chart_version": _chart_version(raw), "config_owner": _peers_owner(raw[AGENT_SECRET])}


def network(raw: Raw) -> dict[str, Any]:
    """Return datapath, ranges, encryption. Raise ValueError for what cannot be read."""
    config = _data(raw["config"])
    mode = config.get("routing-mode", "tunnel")
    # The chart writes the protocol for native routing too, where it means nothing.
    protocol = config.get("tunnel-protocol", "vxlan") if mode == "tunnel" else ""
    wireguard, ipsec = _is_on(config, "enable-wireguard"), _is_on(config, "enable-ipsec")
    addresses = [each for node in raw["nodes"] for each in node["status"].get("addresses") or []]
    local_default = flavour(identity(raw)["version"]).policy_local_default
    return {
        "datapath": {
            "routing_mode": mode,
            "tunnel_protocol": protocol,
            "tunnel_port": _number(config, "tunnel-port", 0) or _TUNNEL_PORTS.get(protocol, 0) if protocol else 0,
            "mtu": _number(config, "mtu", 0),
            "native_cidr": config.get("ipv4-native-routing-cidr", ""),
        },
        "ip_families": [family for family in ("ipv4", "ipv6") if _is_on(config, f"enable-{family}")],
        "pod_cidrs": _pod_cidrs(raw, config),
        "service_cidrs": ((raw["service_cidr"] or {}).get("spec") or {}).get("cidrs") or [],
        "node_ips": sorted({each["address"] for each in addresses if each["type"] == "InternalIP"}),
        "encryption": {
            "type": "wireguard" if wireguard else "ipsec" if ipsec else "none",
            "node": _is_on(config, "encrypt-node"),
        },
        "kube_proxy_replacement": _is_on(config, "kube-proxy-replacement"),
        "ipam": config.get("ipam", "cluster-pool"),
        "policy_default_local_cluster": _is_on(config, "policy-default-local-cluster", local_default),
    }


def auth_mode(raw: Raw, remote_cn: str) -> str:
    """Return legacy, migration or cluster, as the arguments of clustermesh-apiserver and the remote certificate say."""
    found = identity(raw)
    containers = _containers(raw)
    if not containers:
        return flavour(found["version"]).auth_default
    if "--cluster-users-enabled" not in (containers.get("apiserver") or {}).get("args", []):
        return "legacy"
    return "cluster" if remote_cn == f"remote-{found['name']}" else "migration"


def peers(raw: Raw) -> dict[str, Any]:
    """Return endpoints, ips and managed_by of each peer by name; an entry with the cluster's own name means nothing.

    Endpoints are those that lead out of the cluster: KVStoreMesh dials them if there is one, the agents else.
    """
    own, agents = identity(raw), raw[AGENT_SECRET]
    remote, workload = (raw[KVSTOREMESH_SECRET], raw["apiserver"]) if own["kvstoremesh"] else (agents, raw["agents"])
    aliases = workload["spec"]["template"]["spec"].get("hostAliases") or []
    dialled, found = _entries(remote), {}
    for name in sorted({*dialled, *_entries(agents)} - {own["name"]}):
        managers = ", ".join(others(remote, "", "f:data", f"f:{name}"))
        found[name] = _peer(dialled.get(name, ""), aliases) | {"managed_by": managers}
    return {"peers": found}


def _pod_cidrs(raw: Raw, config: dict[str, str]) -> list[str]:
    """Return the ranges of the whole cluster where they are known, and of nodes outside of them."""
    found = [cidr for node in raw["cilium_nodes"] for cidr in node["spec"].get("ipam", {}).get("podCIDRs") or []]
    if config.get("ipam") == "kubernetes":
        found += [cidr for node in raw["nodes"] for cidr in node["spec"].get("podCIDRs") or []]
        settings = yaml.safe_load(_data(raw["kubeadm"]).get("ClusterConfiguration", "")) or {}
        found += [each for each in ((settings.get("networking") or {}).get("podSubnet") or "").split(",") if each]
    else:
        found += f"{config.get('cluster-pool-ipv4-cidr', '')} {config.get('cluster-pool-ipv6-cidr', '')}".split()
    return [str(each) for each in collapse(found)]


def collapse(cidrs: Iterable[str]) -> list[Network]:
    """Return the ranges with neighbours joined: one range for each node is many, and mostly one block."""
    every = [ipaddress.ip_network(each.strip(), strict=False) for each in cidrs]
    ipv4 = [each for each in every if isinstance(each, ipaddress.IPv4Network)]
    ipv6 = [each for each in every if isinstance(each, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(ipv4), *ipaddress.collapse_addresses(ipv6)]


def _chart_version(raw: Raw) -> str:
    labels = ((raw["agents"] or {}).get("metadata") or {}).get("labels") or {}
    return str(labels.get("helm.sh/chart", "")).removeprefix("cilium-")


def _containers(raw: Raw) -> dict[str, dict[str, Any]]:
    if raw["apiserver"] is None:
        return {}
    return {each["name"]: each for each in raw["apiserver"]["spec"]["template"]["spec"]["containers"]}


def _data(item: dict[str, Any] | None) -> dict[str, str]:
    return (item or {}).get("data") or {}


def _is_on(config: dict[str, str], key: str, default: bool = False) -> bool:
    return config[key] == "true" if key in config else default


def _number(config: dict[str, str], key: str, default: int) -> int:
    try:
        return int(config.get(key) or default)
    except ValueError:
        raise ValueError(f"{key} of ConfigMap cilium-config is no number but {config[key]!r}") from None


def sort_ips(ips: set[str]) -> list[str]:
    """Return addresses in the order of numbers, IPv4 first."""
    return sorted(ips, key=lambda ip: (ipaddress.ip_address(ip).version, ipaddress.ip_address(ip)))


def endpoint(
    service: dict[str, Any] | None,
    nodes: list[dict[str, Any]],
    override: dict[str, Any] | None = None,
    node_address: str = "InternalIP",
    node_count: int = 3,
) -> dict[str, Any]:
    """Return type, ips, address, port and source of the endpoint; without ips and address there is none to dial.

    A load balancer that has only a name keeps it: resolved once, it would go stale.
    """
    if override:
        chosen = {"ips": sort_ips({*(override.get("ips") or [])}), "address": override.get("address") or ""}
        return {"type": "override", **chosen, "port": override.get("port") or PORT, "source": "option endpoint"}
    if service is None:
        return _endpoint("none", set(), 0, f"there is no Service {SERVICE}")
    spec, source = service["spec"], f"Service {SERVICE}"
    port = next((each for each in spec["ports"] if each["port"] == PORT), spec["ports"][0])
    if spec["type"] == "LoadBalancer":
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        ips = {each["ip"] for each in given if each.get("ip")}
        names = sorted(each["hostname"] for each in given if each.get("hostname"))
        return _endpoint("LoadBalancer", ips, port["port"], source, names[0] if names and not ips else "")
    if spec["type"] == "NodePort":
        chosen_ips = set(sort_ips(_addresses(nodes, node_address))[:node_count])
        return _endpoint("NodePort", chosen_ips, port.get("nodePort", 0), f"{source} and {node_address} of Ready nodes")
    own = spec.get("clusterIP") or "None"
    return _endpoint("ClusterIP", set() if own == "None" else {own}, port["port"], source)


def _endpoint(kind: str, ips: set[str], port: int, source: str, address: str = "") -> dict[str, Any]:
    return {"type": kind, "ips": sort_ips(ips), "address": address, "port": port, "source": source}


def _addresses(nodes: list[dict[str, Any]], kind: str) -> set[str]:
    """Return the first address of a kind of each Ready node."""
    found = set()
    for node in nodes:
        addresses = [each["address"] for each in node["status"].get("addresses") or [] if each["type"] == kind]
        if addresses and not health.node(node):
            found.add(addresses[0])
    return found


def usable(found: dict[str, Any]) -> bool:
    """Whether peers have something to dial at an endpoint."""
    return bool((found["ips"] or found["address"]) and found["port"])


def _peers_owner(secret: Object | None) -> str:
    """Return who renders the Secret of the peers: argocd, flux, helm, module or none."""
    metadata = (secret or {}).get("metadata") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if "argocd.argoproj.io/tracking-id" in notes or "argocd.argoproj.io/instance" in labels:
        return "argocd"
    if any(key.partition("/")[0] in ("helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io") for key in labels):
        return "flux"
    if labels.get("app.kubernetes.io/managed-by") == "Helm":
        return "helm"
    return "module" if any(each["manager"] == MANAGER for each in metadata.get("managedFields") or []) else "none"


def _peer(text: str, aliases: list[Object]) -> dict[str, Any]:
    try:
        entry = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError:
        entry = None
    if not isinstance(entry, dict):
        entry = {}
    endpoints = entry.get("endpoints") or []
    hosts = {endpoint.partition("://")[2].rpartition(":")[0] for endpoint in endpoints}
    ips = {ip for each in entry.get("cilium-host-aliases") or [] for ip in each.get("ips") or []}
    ips |= {each["ip"] for each in aliases if hosts & {*(each.get("hostnames") or [])}}
    return {"endpoints": endpoints, "ips": sorted(ips)}


def _entries(secret: Object | None) -> dict[str, str]:
    """Return the entries of a Secret by peer; what has no ``endpoints:`` is none, as in Cilium."""
    data = (secret or {}).get("data") or {}
    data = {name: base64.b64decode(coded or "").decode(errors="replace") for name, coded in data.items()}
    return {name: text for name, text in data.items() if "endpoints:" in text}


def tls(secrets: dict[str, Object | None], cronjob: bool, now: datetime) -> dict[str, Any]:
    """Return method, ca_fingerprints and leafs; secrets by name, cronjob is whether the chart's one exists.

    A leaf that is missing or cannot be read is not among the leafs.
    """
    authorities = _certificates(secrets.get(LEAFS["remote"]), "ca.crt")
    shown = {leaf: _certificates(secrets.get(name), "tls.crt") for leaf, name in LEAFS.items()}
    return {
        "method": _method(secrets.get(LEAFS["server"]), cronjob),
        "ca_fingerprints": sorted({certs.fingerprint(each) for each in authorities}),
        "leafs": {leaf: _leaf(found[0], authorities, now) for leaf, found in shown.items() if found},
    }


def _method(server: Object | None, cronjob: bool) -> str:
    if server is None:
        return "none"
    metadata = server["metadata"]
    if "cert-manager.io/certificate-name" in (metadata.get("annotations") or {}):
        return "certmanager"
    if (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm":
        return "helm"
    return "cronJob" if cronjob else "provided"


def _certificates(secret: Object | None, key: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(((secret or {}).get("data") or {}).get(key) or ""))
    except ValueError:
        return []


def _leaf(leaf: x509.Certificate, authorities: list[x509.Certificate], now: datetime) -> dict[str, Any]:
    issuer = next((certs.fingerprint(each) for each in authorities if certs.issued_by(leaf, each)), "")
    shown = certs.describe(leaf, now)
    return {**{key: shown[key] for key in ("cn", "sans", "not_after", "days_left")}, "issuer": issuer}
