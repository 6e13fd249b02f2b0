# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The exact text of each finding about an existing cluster."""

import dataclasses
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.existing import nodes as nodes_of
from ansible_collections.opendata.platform.plugins.module_utils.existing import preflight
from ansible_collections.opendata.platform.plugins.module_utils.existing.kubeconfig import Api
from ansible_collections.opendata.platform.plugins.module_utils.existing.preflight import State, Wanted, findings

from existing_objects import daemon_set, node

SERVER = "https://api.example.org"
SLICE = "EndpointSlice default/kubernetes"
BARE = State(
    kubernetes="v1.35.4-eks-1",
    nodes=[node("a", ready=False)],
    daemon_sets=[],
    proxy_pods=[],
    crds=[],
    service_ranges=["10.96.0.0/16"],
    cilium=None,
    api=Api("api.example.org", 443, "the kubeconfig"),
)
WANTED = Wanted(
    name="aws",
    cilium=True,
    cilium_version="1.20.2",
    pod_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/16",
    server=SERVER,
)
KEEPS = dataclasses.replace(WANTED, cilium=False)
THERE = {
    "daemon_set": "cilium",
    "namespace": "kube-system",
    "version": "1.20.1",
    "release": "cilium",
    "ours": False,
    "problem": "",
    "step": "",
}
OR_KEEP = "or keep it and set cilium_enabled: false, which excludes the cluster from the mesh."
CALICO = f"Calico is its network plugin (DaemonSet kube-system/calico-node). Remove it from the cluster, {OR_KEEP}"


def said(wanted: Wanted = WANTED, **changes: Any) -> list[str]:
    return [str(each) for each in findings(dataclasses.replace(BARE, **changes), wanted)]


def faults(wanted: Wanted = WANTED, **changes: Any) -> list[bool]:
    return [each.is_error for each in findings(dataclasses.replace(BARE, **changes), wanted)]


def test_a_bare_cluster_is_what_is_wanted() -> None:
    assert said() == []


@pytest.mark.parametrize("cilium", [None, {**THERE, "ours": True}])
def test_a_cluster_that_has_our_cilium_is_too(cilium: Any) -> None:
    ready = [node(ready=cilium is not None, cidr="10.244.0.0/24")]
    assert said(nodes=ready, cilium=cilium) == []


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        (
            {"kubernetes": "v1.32.1"},
            True,
            f"aws: runs Kubernetes v1.32.1; Cilium 1.20.2 is tested with 1.33 to 1.36 ({SERVER}). "
            "Upgrade the cluster first.",
        ),
        (
            {"kubernetes": "v1.37.0"},
            False,
            f"aws: runs Kubernetes v1.37.0; Cilium 1.20.2 is tested with 1.33 to 1.36 ({SERVER}). "
            "Read Cilium's release notes before you continue.",
        ),
        (
            {"nodes": []},
            True,
            f"aws: has no Linux node ({SERVER}). Add one: Cilium's settings depend on the nodes.",
        ),
        (
            {"nodes": [node("old", False, info={"kernelVersion": "4.18.0-477", "osImage": "RHEL 8.8"})]},
            True,
            "aws: the kernel of old (4.18.0-477) is older than 5.10 (4.18 on RHEL 8.10), the oldest that Cilium "
            "supports "
            "(Node, status.nodeInfo). Use a newer image for these nodes.",
        ),
        (
            {"daemon_sets": [daemon_set("aws-node")]},
            True,
            "aws: the VPC CNI of AWS is its network plugin (DaemonSet kube-system/aws-node). Create the cluster with "
            f"bootstrapSelfManagedAddons: false, or delete the add-on vpc-cni and replace the nodes, {OR_KEEP}",
        ),
        (
            {"daemon_sets": [daemon_set("anetd")]},
            True,
            "aws: Dataplane V2 of GKE is its network plugin (DaemonSet kube-system/anetd). "
            f"GKE clusters cannot run without it, {OR_KEEP}",
        ),
        (
            {"nodes": [node("b")]},
            True,
            "aws: b are Ready without Cilium, so the cluster has a network plugin that was not recognized (Node, "
            "condition Ready). "
            f"Find and remove it, {OR_KEEP}",
        ),
        (
            {"daemon_sets": [daemon_set("kube-proxy")]},
            False,
            "aws: kube-proxy runs beside Cilium, which replaces it: connections through Services break once "
            "(DaemonSet kube-system/kube-proxy). Remove kube-proxy where the provider allows it.",
        ),
        (
            {"service_ranges": ["172.20.0.0/16"]},
            True,
            "aws: cluster_service_cidr is 10.96.0.0/16, but its Services have addresses from 172.20.0.0/16 "
            "(ServiceCIDR, or Service default/kubernetes). Set cluster_service_cidr to the range that the cluster "
            "was created with.",
        ),
        (
            {"nodes": [node("a", False, cidr="10.0.3.0/24")]},
            True,
            "aws: cluster_pod_cidr is 10.244.0.0/16, which does not contain the pods of a (10.0.3.0/24) "
            "(Node, spec.podCIDRs). Set cluster_pod_cidr to the range that the cluster was created with.",
        ),
        (
            {"nodes": [node("a", False, address="10.244.7.1")]},
            True,
            "aws: cluster_pod_cidr 10.244.0.0/16 contains the addresses of a (10.244.7.1) (Node, status.addresses). "
            "Set cluster_pod_cidr to a range of its own.",
        ),
        (
            {"api": Api("", 0, "", "the name kubernetes is unknown here")},
            True,
            "aws: nodes cannot use the API server's address in the kubeconfig (the name kubernetes is unknown "
            "here), and the "
            "cluster publishes no other (EndpointSlice default/kubernetes). "
            "Set cluster_endpoint to the host:port at which nodes reach the API server.",
        ),
        (
            {"api": Api("10.0.0.8", 443, SLICE, "localhost is an address of this machine only")},
            False,
            "aws: Cilium will reach the API server at 10.0.0.8:443, because localhost is an address of this "
            "machine only "
            "(EndpointSlice default/kubernetes). "
            "Set cluster_endpoint to host:port if nodes should use another address.",
        ),
        (
            {"cilium": THERE, "nodes": [node("b")]},
            False,
            "aws: Cilium 1.20.1 is already installed, by helm release cilium (DaemonSet kube-system/cilium). "
            "The network stage compares its values with the platform's, and adopts it only with cilium_adopt: true.",
        ),
        (
            {"cilium": {**THERE, "problem": "an existing Cilium belongs to no Helm release", "step": "Remove it."}},
            True,
            "aws: an existing Cilium belongs to no Helm release (DaemonSet kube-system/cilium). Remove it.",
        ),
    ],
)
def test_each_finding(changes: dict[str, Any], error: bool, text: str) -> None:
    assert (said(**changes), faults(**changes)) == ([text], [error])


def test_all_are_told_at_once() -> None:
    changes = {"kubernetes": "v1.30.1", "daemon_sets": [daemon_set("calico-node"), daemon_set("kube-proxy")]}
    changes |= {"service_ranges": ["10.0.0.0/16"], "api": Api("", 0, "", "x")}
    assert faults(**changes) == [True, True, False, True, True]
    assert said(**changes)[1] == f"aws: {CALICO}"


def test_a_network_that_is_kept_must_be_there_and_is_all_that_counts() -> None:
    assert said(KEEPS) == [
        "aws: has no network, but cilium_enabled is false: a have no network plugin (Node, condition Ready). "
        "Set cilium_enabled: true, or install another network plugin."
    ]
    other = {"service_ranges": ["172.20.0.0/16"], "kubernetes": "v1.31.0", "daemon_sets": [daemon_set("calico-node")]}
    assert said(KEEPS, nodes=[node("b")], **other) == []


def test_the_address_of_one_service_is_enough_to_agree() -> None:
    assert said(service_ranges=["10.96.0.1"]) == []
    assert len(said(service_ranges=["10.97.0.1"])) == 1
    assert said(service_ranges=["10.96.0.0/16", "fd00::/112"]) == []


AGENTS = {
    "antrea-agent": "Antrea",
    "aws-node": "the VPC CNI of AWS",
    "azure-cns": "Azure CNI",
    "calico-node": "Calico",
    "canal": "Canal",
    "kindnet": "kindnet",
    "kube-flannel-ds": "Flannel",
    "kube-flannel-ds-amd64": "Flannel",
    "netd": "netd of GKE",
    "rke2-canal": "Canal",
    "weave-net": "Weave",
}


@pytest.mark.parametrize("name", AGENTS)
def test_networks_are_known_by_their_agents(name: str) -> None:
    [agent] = nodes_of.plugins([daemon_set(name, "somewhere"), daemon_set("node-exporter")], [], [])
    assert (agent.words, agent.where) == (AGENTS[name], f"DaemonSet somewhere/{name}")


def test_networks_are_known_by_other_signs() -> None:
    routes = {"type": "NetworkUnavailable", "status": "False", "reason": "RouteCreated"}
    [agent] = nodes_of.plugins([], [node(conditions=[routes])], [])
    assert agent[:2] == ("routes of the cloud (kubenet)", "node a, RouteCreated")
    crd = "ippools.crd.projectcalico.org"
    [agent] = nodes_of.plugins([], [node()], [crd])
    assert agent[:2] == ("Calico", f"CustomResourceDefinition {crd}")
    [agent] = nodes_of.plugins([], [node(labels={"eks.amazonaws.com/compute-type": "auto"})], [])
    assert agent[:2] == ("the network of EKS Auto Mode", "node a")


def test_what_a_network_left_behind_is_none() -> None:
    assert nodes_of.plugins([], [node(ready=False)], ["ippools.crd.projectcalico.org"]) == []


def test_kube_proxy_is_a_daemon_set_or_pods() -> None:
    pod = {"metadata": {"name": "kube-proxy-gke-1", "labels": {"component": "kube-proxy"}}}
    assert nodes_of.kube_proxy([daemon_set("kube-proxy")], []) == "DaemonSet kube-system/kube-proxy"
    assert nodes_of.kube_proxy([], [pod]) == "pod kube-system/kube-proxy-gke-1"
    assert nodes_of.kube_proxy([daemon_set("cilium")], [{"metadata": {"name": "x"}}]) == ""


def test_nodes_are_what_the_api_says_and_able_to_do_the_rest() -> None:
    windows = node("w", info={"operatingSystem": "windows", "kernelVersion": "10.0.20348"})
    found = nodes_of.facts([node("a"), windows])
    assert found == {
        "a": {
            "container": "",
            "kernel": {
                "version": "6.1.0-1-amd64",
                **dict.fromkeys(("fq", "geneve", "netkit", "vxlan", "wireguard"), True),
            },
            "os": {"name": "Debian GNU/Linux 12 (bookworm)"},
            "sys_resource": True,
        }
    }
    assert nodes_of.old_kernels([windows]) == []


@pytest.mark.parametrize(
    ("kernel", "system", "old"),
    [
        ("5.10.0", "x", False),
        ("5.9.16", "x", True),
        ("4.18.0-553.el8_10", "Red Hat Enterprise Linux 8.10 (Ootpa)", False),
        ("4.18.0-477.el8_8", "Red Hat Enterprise Linux 8.8 (Ootpa)", True),
        ("10.0.1", "x", False),
        ("", "x", False),
    ],
)
def test_kernels(kernel: str, system: str, old: bool) -> None:
    assert bool(nodes_of.old_kernels([node(info={"kernelVersion": kernel, "osImage": system})])) is old


def test_rights_are_those_of_the_stages() -> None:
    least = preflight.needed(cilium=False, mesh=False, flux=False)
    assert {each.verb for each in least} == {"get", "list"}
    everything = preflight.needed(cilium=True, mesh=True, flux=True)
    assert everything[: len(least)] == least and len({*everything}) == len(everything)
    assert preflight.rights_words(
        [preflight.Right("create", "", "pods/exec", "kube-system"), preflight.Right("patch", "apps", "x")]
    ) == ("its user lacks these permissions: create pods/exec in kube-system; patch x.apps")
