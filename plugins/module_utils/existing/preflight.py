# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What keeps an existing cluster from joining the fleet, and which permissions the stages need in it. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..findings import Finding
from . import nodes as nodes_of
from .kubeconfig import Api

# By minor of Cilium the oldest and newest of Kubernetes that it is tested with (its page Kubernetes Compatibility).
_KUBERNETES = {"1.18": (30, 33), "1.20": (33, 36)}
_KEEP = "or keep it and set cilium_enabled: false, which excludes the cluster from the mesh"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class State:
    """What the API of an existing cluster reports.

    cilium: what `cilium.adoption.found` returns, None if there is none. service_ranges: those of the ServiceCIDRs,
    else the address of Service default/kubernetes alone. api: where Cilium will find the API.
    """

    kubernetes: str
    nodes: list[dict[str, Any]]
    daemon_sets: list[dict[str, Any]]
    proxy_pods: list[dict[str, Any]]
    crds: list[str]
    service_ranges: list[str]
    cilium: dict[str, Any] | None
    api: Api


@dataclass(frozen=True)
class Wanted:
    """What the inventory asks for. cilium: whether the platform installs the network, by Cilium of that version."""

    name: str
    cilium: bool
    cilium_version: str
    pod_cidr: str
    service_cidr: str
    server: str

    def error(self, problem: str, where: str, step: str) -> Finding:
        """What keeps this cluster from joining the fleet."""
        return Finding("error", self.name, "", problem, step, where)

    def warning(self, problem: str, where: str, step: str) -> Finding:
        """What works, but the operator should know of."""
        return Finding("warning", self.name, "", problem, step, where)


def findings(state: State, wanted: Wanted) -> list[Finding]:
    """All findings, in the order in which a person would fix them."""
    found = version(state, wanted) if wanted.cilium else []
    if not nodes_of.linux(state.nodes):
        step = "Add one: Cilium's settings depend on the nodes."
        found.append(wanted.error("has no Linux node", wanted.server, step))
    checks = (kernels, other_network, cilium, addresses, api) if wanted.cilium else (own_network,)
    return [*found, *(each for check in checks for each in check(state, wanted))]


def version(state: State, wanted: Wanted) -> list[Finding]:
    """This Cilium supports the Kubernetes version; a newer one usually works."""
    number = re.match(r"v?1\.(\d+)", state.kubernetes)
    oldest, newest = _KUBERNETES.get(".".join(wanted.cilium_version.split(".")[:2]), (0, 999))
    if not number or oldest <= int(number[1]) <= newest:
        return []
    tested = f"Cilium {wanted.cilium_version} is tested with 1.{oldest} to 1.{newest}"
    problem = f"runs Kubernetes {state.kubernetes}; {tested}"
    old = int(number[1]) < oldest
    step = "Upgrade the cluster first." if old else "Read Cilium's release notes before you continue."
    return [(wanted.error if old else wanted.warning)(problem, wanted.server, step)]


def kernels(state: State, wanted: Wanted) -> list[Finding]:
    """Every node's kernel is new enough for Cilium."""
    old = nodes_of.old_kernels(state.nodes)
    problem = f"the kernel of {', '.join(old)} is older than {nodes_of.KERNEL_WORDS}, the oldest that Cilium supports"
    return [wanted.error(problem, "Node, status.nodeInfo", "Use a newer image for these nodes.")] if old else []


def own_network(state: State, wanted: Wanted) -> list[Finding]:
    """A cluster that keeps its network has a network plugin."""
    silent = nodes_of.without_network(state.nodes)
    if not silent:
        return []
    problem = f"has no network, but cilium_enabled is false: {', '.join(silent)} have no network plugin"
    step = "Set cilium_enabled: true, or install another network plugin."
    return [wanted.error(problem, "Node, condition Ready", step)]


def other_network(state: State, wanted: Wanted) -> list[Finding]:
    """No other network plugin is installed; kube-proxy is reported."""
    agents = nodes_of.plugins(state.daemon_sets, state.nodes, state.crds)
    mine = "is its network plugin"
    found = [wanted.error(f"{each.words} {mine}", each.where, f"{each.step}, {_KEEP}.") for each in agents]
    ready = nodes_of.ready(state.nodes)
    if ready and not agents and not state.cilium:
        names = ", ".join(ready)
        problem = f"{names} are Ready without Cilium, so the cluster has a network plugin that was not recognized"
        found.append(wanted.error(problem, "Node, condition Ready", f"Find and remove it, {_KEEP}."))
    proxy = nodes_of.kube_proxy(state.daemon_sets, state.proxy_pods)
    if proxy:
        problem = "kube-proxy runs beside Cilium, which replaces it: connections through Services break once"
        found.append(wanted.warning(problem, proxy, "Remove kube-proxy where the provider allows it."))
    return found


def cilium(state: State, wanted: Wanted) -> list[Finding]:
    """An installed Cilium can be adopted."""
    there = state.cilium
    if not there or there["ours"]:
        return []
    where = f"DaemonSet {there['namespace']}/{there['daemon_set']}"
    if there["problem"]:
        return [wanted.error(there["problem"], where, there["step"])]
    problem = f"Cilium {there['version']} is already installed, by helm release {there['release']}"
    step = "The network stage compares its values with the platform's, and adopts it only with cilium_adopt: true."
    return [wanted.warning(problem, where, step)]


def addresses(state: State, wanted: Wanted) -> list[Finding]:
    """The ranges of pods and Services match the inventory, and contain no node."""
    found = []
    mine = ipaddress.ip_network(wanted.service_cidr)
    ranges = [ipaddress.ip_network(each) for each in state.service_ranges]
    ranges = [each for each in ranges if each.version == mine.version]
    if ranges and not any(
        each == mine or (each.num_addresses == 1 and each.network_address in mine) for each in ranges
    ):
        problem = f"cluster_service_cidr is {mine}, but its Services have addresses from {', '.join(map(str, ranges))}"
        step = "Set cluster_service_cidr to the range that the cluster was created with."
        found.append(wanted.error(problem, "ServiceCIDR, or Service default/kubernetes", step))
    pods = ipaddress.ip_network(wanted.pod_cidr)
    strange = [
        f"{name} ({net})"
        for name, net in nodes_of.pod_ranges(state.nodes).items()
        if not _within(ipaddress.ip_network(net), pods)
    ]
    if strange:
        problem = f"cluster_pod_cidr is {pods}, which does not contain the pods of {', '.join(strange)}"
        step = "Set cluster_pod_cidr to the range that the cluster was created with."
        found.append(wanted.error(problem, "Node, spec.podCIDRs", step))
    for name, net in (("cluster_pod_cidr", pods), ("cluster_service_cidr", mine)):
        inside = nodes_of.addresses_within(state.nodes, str(net))
        if inside:
            problem = f"{name} {net} contains the addresses of {', '.join(inside)}"
            found.append(wanted.error(problem, "Node, status.addresses", f"Set {name} to a range of its own."))
    return found


def _within(inner: Network, outer: Network) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def api(state: State, wanted: Wanted) -> list[Finding]:
    """Nodes reach the API server without kube-proxy."""
    where = state.api
    if not where.port:
        problem = (
            f"nodes cannot use the API server's address in the kubeconfig ({where.passed}), and the cluster "
            f"publishes no other"
        )
        step = "Set cluster_endpoint to the host:port at which nodes reach the API server."
        return [wanted.error(problem, "EndpointSlice default/kubernetes", step)]
    if not where.passed:
        return []
    problem = f"Cilium will reach the API server at {where.host}:{where.port}, because {where.passed}"
    step = "Set cluster_endpoint to host:port if nodes should use another address."
    return [wanted.warning(problem, where.source, step)]


class Right(NamedTuple):
    """One SelfSubjectAccessReview; an empty namespace means all of them."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource} in {self.namespace}" if self.namespace else f"{self.verb} {resource}"


EVERYTHING = Right("*", "*", "*")
_SYSTEM, _FLUX = "kube-system", "flux-system"
_RBAC, _CRDS = "rbac.authorization.k8s.io", "apiextensions.k8s.io"

# What this module and the status stage read.
READ = (
    Right("list", "", "nodes"),
    Right("list", "", "pods", _SYSTEM),
    Right("get", "", "services", "default"),
    Right("list", "apps", "daemonsets"),
    Right("list", "discovery.k8s.io", "endpointslices", "default"),
    Right("list", _CRDS, "customresourcedefinitions"),
)
# For helm and server-side apply of the objects in Cilium's chart and of the Gateway API's resources.
_CILIUM = (
    *(Right("patch", "", each, _SYSTEM) for each in ("configmaps", "secrets", "serviceaccounts", "services")),
    *(Right("patch", "apps", each, _SYSTEM) for each in ("daemonsets", "deployments")),
    *(Right("patch", _RBAC, each, _SYSTEM) for each in ("roles", "rolebindings")),
    *(Right("patch", _RBAC, each) for each in ("clusterroles", "clusterrolebindings")),
    # Without it the API server refuses a role with more permissions than its author has.
    Right("escalate", _RBAC, "clusterroles"),
    Right("patch", _CRDS, "customresourcedefinitions"),
    Right("list", "", "secrets", _SYSTEM),
)
_MESH = (Right("create", "", "pods/exec", _SYSTEM),)
_OF_FLUX = (
    Right("patch", "", "namespaces"),
    Right("patch", "", "secrets"),
    Right("patch", "apps", "deployments", _FLUX),
    Right("patch", _CRDS, "customresourcedefinitions"),
    Right("patch", _RBAC, "clusterrolebindings"),
    Right("bind", _RBAC, "clusterroles"),
)


def needed(cilium: bool, mesh: bool, flux: bool) -> list[Right]:
    """Permissions for the stages that this cluster takes part in, each once, those to read first."""
    wanted = [*READ, *(_CILIUM if cilium else ()), *(_MESH if mesh else ()), *(_OF_FLUX if flux else ())]
    return list(dict.fromkeys(wanted))


def rights_words(missing: Iterable[Right]) -> str:
    """All missing permissions in one sentence."""
    return f"its user lacks these permissions: {'; '.join(map(str, missing))}"
