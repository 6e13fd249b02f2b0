# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which network plugin an existing cluster runs, as seen in its API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

Object = dict[str, Any]


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


def agents(daemon_sets: Iterable[Object], nodes: list[Object], crds: Iterable[str]) -> list[Agent]:
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
    ready = [node for node in nodes if _condition(node, "Ready").get("status") == "True"]
    for node in ready:
        reason = _condition(node, "NetworkUnavailable").get("reason", "")
        if not found and reason in _REASONS:
            found.append(Agent(_REASONS[reason], f"node {node['metadata']['name']}, {reason}", _OUT))
    left = sorted({*crds} & _CRDS.keys())
    if not found and ready and left:
        found.append(Agent(_CRDS[left[0]], f"CustomResourceDefinition {left[0]}", _OUT))
    return found


def without(nodes: list[Object]) -> list[str]:
    """Nodes whose container runtime reports that there is no network plugin."""
    silent = []
    for node in nodes:
        message = _condition(node, "Ready").get("message", "")
        if any(words.lower() in message.lower() for words in _NO_CNI):
            silent.append(node["metadata"]["name"])
    return silent


def ready(nodes: list[Object]) -> list[str]:
    """Nodes that are Ready, which requires a network plugin."""
    return [node["metadata"]["name"] for node in nodes if _condition(node, "Ready").get("status") == "True"]


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


def _condition(node: Object, kind: str) -> dict[str, str]:
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})
