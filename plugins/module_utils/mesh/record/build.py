# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make of a cluster's objects its record: all that its peers and the preflight must know of it. Pure."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from typing import Any

from ...kubernetes import health
from ..chart import AGENT_SECRET, flavour
from . import peers as record_peers

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

Raw = dict[str, Any]  # objects and lists by the names of _mesh_client.SOURCES; None for what is not there
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
    return {"chart_version": _chart_version(raw), "config_owner": record_peers.owner(raw[AGENT_SECRET])}


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
    """Return what the cluster is connected to."""
    found = identity(raw)
    return {"peers": record_peers.read(raw, found["name"], found["kvstoremesh"])}


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
