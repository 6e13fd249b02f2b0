# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What keeps a given cluster from being one of the fleet, in sentences. Pure."""

from __future__ import annotations

import ipaddress
import re

from . import network
from . import nodes as nodes_of
from .state import Finding, State, Wanted

# By minor of Cilium the oldest and newest of Kubernetes that it is tested with (its page Kubernetes Compatibility).
_KUBERNETES = {"1.18": (30, 33), "1.20": (33, 36)}
_KEEP = "or keep it and set cilium_enabled: false, which leaves the mesh out"


def findings(state: State, wanted: Wanted) -> list[Finding]:
    """All findings, in the order in which a person would mend them."""
    found = version(state, wanted) if wanted.cilium else []
    if not nodes_of.linux(state.nodes):
        step = "Add one: what is right for Cilium depends on them."
        found.append(Finding(True, "has no Linux node", wanted.server, step))
    if not wanted.cilium:
        return [*found, *own_network(state)]
    return [*found, *kernels(state), *other_network(state), *cilium(state), *addresses(state, wanted), *api(state)]


def version(state: State, wanted: Wanted) -> list[Finding]:
    """Kubernetes is one that this Cilium was made for; a newer one mostly works."""
    number = re.match(r"v?1\.(\d+)", state.kubernetes)
    oldest, newest = _KUBERNETES.get(".".join(wanted.cilium_version.split(".")[:2]), (0, 999))
    if not number or oldest <= int(number[1]) <= newest:
        return []
    problem = (
        f"runs Kubernetes {state.kubernetes}; Cilium {wanted.cilium_version} is tested with 1.{oldest} to 1.{newest}"
    )
    old = int(number[1]) < oldest
    step = "Upgrade the cluster first." if old else "Look at the release notes of Cilium before you go on."
    return [Finding(old, problem, wanted.server, step)]


def kernels(state: State) -> list[Finding]:
    """Every node has a kernel that Cilium runs on."""
    old = nodes_of.old_kernels(state.nodes)
    problem = f"the kernel of {', '.join(old)} is older than {nodes_of.kernel_words()}, the least that Cilium runs on"
    return [Finding(True, problem, "Node, status.nodeInfo", "Use a newer image for these nodes.")] if old else []


def own_network(state: State) -> list[Finding]:
    """A cluster that keeps its network has one."""
    silent = network.without(state.nodes)
    if not silent:
        return []
    problem = f"has no network, but cilium_enabled is false: {', '.join(silent)} have no network plugin"
    return [Finding(True, problem, "Node, condition Ready", "Set cilium_enabled: true, or install another network.")]


def other_network(state: State) -> list[Finding]:
    """No other network than Cilium is there, and kube-proxy is known of."""
    agents = network.agents(state.daemon_sets, state.nodes, state.crds)
    found = [Finding(True, f"{each.words} is its network", each.where, f"{each.step}, {_KEEP}.") for each in agents]
    ready = network.ready(state.nodes)
    if ready and not agents and not state.cilium:
        problem = f"{', '.join(ready)} are Ready without Cilium, so a network is there that nothing names"
        found.append(Finding(True, problem, "Node, condition Ready", f"Find it and take it out, {_KEEP}."))
    proxy = network.kube_proxy(state.daemon_sets, state.proxy_pods)
    if proxy:
        problem = "kube-proxy runs beside Cilium, which replaces it: connections through Services break once"
        found.append(Finding(False, problem, proxy, "Take kube-proxy out where the offer allows it."))
    return found


def cilium(state: State) -> list[Finding]:
    """A Cilium that is there already can be taken over."""
    there = state.cilium
    if not there or there["ours"]:
        return []
    where = f"DaemonSet {there['namespace']}/{there['daemon_set']}"
    if there["problem"]:
        return [Finding(True, there["problem"], where, there["step"])]
    problem = f"Cilium {there['version']} is there already, by helm release {there['release']}"
    step = "The stage network compares its values with ours, and takes it over only with cilium_adopt: true."
    return [Finding(False, problem, where, step)]


def addresses(state: State, wanted: Wanted) -> list[Finding]:
    """Pods and Services have the addresses that the inventory says, and no node has one of those."""
    found = []
    mine = ipaddress.ip_network(wanted.service_cidr)
    ranges = [ipaddress.ip_network(each) for each in state.service_ranges]
    ranges = [each for each in ranges if each.version == mine.version]
    if ranges and not any(each == mine or (each.num_addresses == 1 and each.subnet_of(mine)) for each in ranges):
        problem = f"cluster_service_cidr is {mine}, but its Services have addresses of {', '.join(map(str, ranges))}"
        step = "Set cluster_service_cidr to what the cluster was made with."
        found.append(Finding(True, problem, "ServiceCIDR, or Service default/kubernetes", step))
    pods = ipaddress.ip_network(wanted.pod_cidr)
    strange = [
        f"{name} ({net})"
        for name, net in nodes_of.pod_ranges(state.nodes).items()
        if not (pods.version == 4 and ipaddress.ip_network(net).subnet_of(pods))
    ]
    if strange:
        problem = f"cluster_pod_cidr is {pods}, which does not hold the pods of {', '.join(strange)}"
        step = "Set cluster_pod_cidr to what the cluster was made with."
        found.append(Finding(True, problem, "Node, spec.podCIDRs", step))
    for name, net in (("cluster_pod_cidr", pods), ("cluster_service_cidr", mine)):
        inside = nodes_of.addresses_within(state.nodes, str(net))
        if inside:
            problem = f"{name} {net} holds the addresses of {', '.join(inside)}"
            found.append(Finding(True, problem, "Node, status.addresses", f"Set {name} to a range of its own."))
    return found


def api(state: State) -> list[Finding]:
    """Cilium finds the API without kube-proxy."""
    where = state.api
    if not where.port:
        problem = (
            f"no node can use the API's address in the kubeconfig ({where.passed}), and the cluster names no other"
        )
        step = "Set cluster_endpoint to host:port of the API as nodes reach it."
        return [Finding(True, problem, "EndpointSlice default/kubernetes", step)]
    if not where.passed:
        return []
    problem = f"Cilium finds the API at {where.host}:{where.port}, because {where.passed}"
    step = "Set cluster_endpoint to host:port if nodes should use another address."
    return [Finding(False, problem, where.source, step)]
