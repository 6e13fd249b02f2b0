# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the API reports of the nodes of an existing cluster, and of the network plugin that it runs. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..kubernetes import health

Object = dict[str, Any]
Facts = dict[str, Any]
# docs.cilium.io, operations/system_requirements: Linux 5.10, or 4.18 of RHEL 8.10.
_KERNEL, KERNEL_WORDS = (5, 10), "5.10 (4.18 on RHEL 8.10)"


def linux(nodes: list[Object]) -> list[Object]:
    """The nodes that Cilium runs on."""
    return [node for node in nodes if _info(node).get("operatingSystem", "linux") == "linux"]


def facts(nodes: list[Object]) -> dict[str, Facts]:
    """By node name what role cilium reads from node_facts.

    Features that the API does not report are assumed, so that values stay as configured; the agent reports what its
    kernel lacks.
    """
    features = dict.fromkeys(("fq", "geneve", "netkit", "vxlan", "wireguard"), True)
    return {
        node["metadata"]["name"]: {
            "container": "",
            "kernel": {"version": _info(node).get("kernelVersion", ""), **features},
            "os": {"name": _info(node).get("osImage", "")},
            "sys_resource": True,
        }
        for node in linux(nodes)
    }


def old_kernels(nodes: list[Object]) -> list[str]:
    """Nodes with a kernel that Cilium does not run on: ``name (4.15.0)``."""
    old = []
    for node in linux(nodes):
        text, system = _info(node).get("kernelVersion", ""), _info(node).get("osImage", "")
        number = re.match(r"(\d+)\.(\d+)", text)
        version = (int(number[1]), int(number[2])) if number else _KERNEL
        if version < _KERNEL and not (version >= (4, 18) and "8.10" in system):
            old.append(f"{node['metadata']['name']} ({text})")
    return old


def pod_ranges(nodes: list[Object]) -> dict[str, str]:
    """IPv4 pod CIDR by node name, for nodes that have one."""
    ranges: dict[str, str] = {}
    for node in linux(nodes):
        spec = node.get("spec") or {}
        every = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        first = next((each for each in every if ":" not in each), "")
        ranges |= {node["metadata"]["name"]: first} if first else {}
    return ranges


def addresses_within(nodes: list[Object], net: str) -> list[str]:
    """Nodes with an address in a range: ``name (10.244.0.9)``."""
    wanted, found = ipaddress.ip_network(net), []
    for node in nodes:
        for each in (node.get("status") or {}).get("addresses") or []:
            if each["type"] == "InternalIP" and ipaddress.ip_address(each["address"]) in wanted:
                found.append(f"{node['metadata']['name']} ({each['address']})")
    return found


def _info(node: Object) -> dict[str, str]:
    return (node.get("status") or {}).get("nodeInfo") or {}


class Agent(NamedTuple):
    """A detected network plugin: its display name, the object that shows it, and how to run the cluster without it."""

    words: str
    where: str
    step: str


_OUT = "Remove it from the cluster"
_GKE = "GKE clusters cannot run without it"
# By name of the DaemonSet, or its prefix before a "-": display name, and how to run the cluster without it.
_AGENTS = {
    "anetd": ("Dataplane V2 of GKE", _GKE),
    "antrea-agent": ("Antrea", _OUT),
    "aws-node": (
        "the VPC CNI of AWS",
        "Create the cluster with bootstrapSelfManagedAddons: false, or delete the add-on vpc-cni and replace the nodes",
    ),
    "azure-cns": ("Azure CNI", "Create the cluster with --network-plugin none"),
    "calico-node": ("Calico", _OUT),
    "canal": ("Canal", _OUT),
    "kindnet": ("kindnet", "Create the cluster with disableDefaultCNI: true"),
    "kube-flannel": ("Flannel", _OUT),
    "kube-router": ("kube-router", _OUT),
    "netd": ("netd of GKE", _GKE),
    "ovnkube-node": ("OVN-Kubernetes", _OUT),
    "rke2-canal": ("Canal", "Create the cluster with cni: none"),
    "vcn-native-ip-cni": ("VCN-native pod networking of Oracle", "OKE clusters cannot run without one of its two"),
    "weave-net": ("Weave", _OUT),
}
# Reasons of the node condition NetworkUnavailable, by the plugin that sets them.
_REASONS = {
    "CalicoIsUp": "Calico",
    "FlannelIsUp": "Flannel",
    "RouteCreated": "routes of the cloud (kubenet)",
    "WeaveIsUp": "Weave",
}
# CustomResourceDefinitions of network plugins whose agents may have other names.
_CRDS = {
    "installations.operator.tigera.io": "Calico",
    "ippools.crd.projectcalico.org": "Calico",
    "antreaagentinfos.crd.antrea.io": "Antrea",
}
_AUTO_MODE = "eks.amazonaws.com/compute-type"
# Messages of containerd, dockershim and CRI-O.
_NO_CNI = ("cni plugin not initialized", "cni config uninitialized", "no CNI configuration file")


def plugins(daemon_sets: Iterable[Object], nodes: list[Object], crds: Iterable[str]) -> list[Agent]:
    """Network plugins other than Cilium that run in the cluster; leftover resources alone do not count."""
    found = []
    for item in daemon_sets:
        name = item["metadata"]["name"]
        known = next((_AGENTS[key] for key in _AGENTS if name == key or name.startswith(f"{key}-")), None)
        if known:
            found.append(Agent(known[0], f"DaemonSet {item['metadata']['namespace']}/{name}", known[1]))
    automatic = [node for node in nodes if node["metadata"].get("labels", {}).get(_AUTO_MODE) == "auto"]
    if automatic:
        step = "EKS Auto Mode clusters cannot run without it"
        found.append(Agent("the network of EKS Auto Mode", f"node {automatic[0]['metadata']['name']}", step))
    ready = [node for node in nodes if health.condition(node, "Ready").get("status") == "True"]
    for node in ready:
        reason = health.condition(node, "NetworkUnavailable").get("reason", "")
        if not found and reason in _REASONS:
            found.append(Agent(_REASONS[reason], f"node {node['metadata']['name']}, {reason}", _OUT))
    left = sorted({*crds} & _CRDS.keys())
    if not found and ready and left:
        found.append(Agent(_CRDS[left[0]], f"CustomResourceDefinition {left[0]}", _OUT))
    return found


def without_network(nodes: list[Object]) -> list[str]:
    """Nodes whose container runtime reports that there is no network plugin."""
    messages = {each["metadata"]["name"]: health.condition(each, "Ready").get("message", "") for each in nodes}
    return [name for name, text in messages.items() if any(words.lower() in text.lower() for words in _NO_CNI)]


def ready(nodes: list[Object]) -> list[str]:
    """Nodes that are Ready, which requires a network plugin."""
    return [node["metadata"]["name"] for node in nodes if health.condition(node, "Ready").get("status") == "True"]


def kube_proxy(daemon_sets: Iterable[Object], pods: Iterable[Object]) -> str:
    """The object that shows that kube-proxy runs; empty if none. GKE and RKE2 run it as pods without a DaemonSet."""
    for item in daemon_sets:
        if item["metadata"]["name"] == "kube-proxy":
            return f"DaemonSet {item['metadata']['namespace']}/kube-proxy"
    for item in pods:
        labels = item["metadata"].get("labels") or {}
        if "kube-proxy" in (labels.get("component"), labels.get("k8s-app")):
            return f"pod kube-system/{item['metadata']['name']}"
    return ""
