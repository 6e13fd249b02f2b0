# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules of a mesh by code: problem and next step, with the fields of the text in braces. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...findings import Finding, Severity

Record = dict[str, Any]  # what cilium_clustermesh_info returns as `cluster`

# All others are errors.
WARNINGS = frozenset({"CERT_EXPIRING", "ENCRYPTION", "MTU", "POLICY_SCOPE", "SVC_POD_OVERLAP"})

_RENEW = "Renew it with cilium_clustermesh_certs, or with its issuer (tls method {method})."
RULES: dict[str, tuple[str, str]] = {
    "NAME_FORMAT": (
        "cluster name '{name}' is invalid: at most 32 lower-case alphanumerics or '-', "
        "beginning and ending with an alphanumeric",
        "Install Cilium with another cluster.name.",
    ),
    "NAME_DEFAULT": (
        "the cluster (context {context}) still has the name 'default' or id 0; set cluster.name and cluster.id "
        "at install time (changing them later restarts all workloads)",
        "Set both values of Cilium's chart; where workloads run already, restart all of them afterwards.",
    ),
    "NAME_DUP": (
        "clusters {one} and {other} both use name '{name}'; names must be unique in the mesh",
        "Change cluster.name of one, or correct the context if both point to the same cluster.",
    ),
    "ID_DUP": (
        "clusters {one} and {other} both use id {id}; ids must be unique in the mesh",
        "Change cluster.id of one, or correct the context if both point to the same cluster.",
    ),
    "ID_RANGE": (
        "id {id} is outside 1..{most} (max-connected-clusters={most})",
        "Change its cluster.id to an unused one in this range.",
    ),
    "ID_BUGGY": (
        "id {id} has bit 7 set and IPAM is {ipam}: policies would drop traffic (cilium#21330); use 1-127 or 256-383",
        "Change its cluster.id to an unused one of these.",
    ),
    "MAXCLUSTERS": (
        "max-connected-clusters differs ({values}) or is not 255/511; it cannot be changed on a live cluster",
        "Install every cluster with the same clustermesh.maxConnectedClusters, 255 or 511.",
    ),
    "CIDR_OVERLAP": (
        "pod CIDR {cidr} of '{one}' overlaps {other_cidr} of '{other}'",
        "Recreate one of them with another pod CIDR.",
    ),
    "NODE_IP_DUP": (
        "node IP {ip} of '{one}' is also a node IP of '{other}'",
        "Give every node a unique InternalIP (kubelet --node-ip), for instance of an overlay network.",
    ),
    "NODES_UNREACHED": (
        "nodes of '{name}' cannot reach node {ip} of '{peer}': {nodes}",
        "Open the ports between the nodes (firewall, security group), or give the nodes an InternalIP that all nodes "
        "can reach, public or of an overlay network.",
    ),
    "SVC_POD_OVERLAP": (
        "pod CIDR {cidr} of '{one}' overlaps Service CIDR {other_cidr} of '{other}'",
        "Recreate one of them with another range: in '{other}' a Service may get the address of a pod of '{one}'.",
    ),
    "DATAPATH": (
        "routing-mode/tunnel-protocol/tunnel-port differ: {values}",
        "Set the same routingMode, tunnelProtocol and tunnelPort on every cluster.",
    ),
    "NATIVE_CIDR": (
        "ipv4-native-routing-cidr {native} of '{name}' does not cover {cidrs}",
        "Set ipv4NativeRoutingCIDR to a range that contains the pod CIDRs of every cluster.",
    ),
    "VERSION_SKEW": ("Cilium {old} ({olds}) and {new} ({news}) are more than {most} apart", "Upgrade {olds} first."),
    "VERSION_OLD": ("Cilium {version} is older than {oldest}", "Upgrade Cilium."),
    "ENCRYPTION": (
        "{ones} encrypts with {one}, {others} with {other}",
        "Set the same encryption.enabled, encryption.type and encryption.nodeEncryption on every cluster.",
    ),
    "NO_ENDPOINT": (
        "Service clustermesh-apiserver ({type}) has no address that peers can dial",
        "Wait for the load balancer, set service.type, or set endpoint: {{ips: [...], port: ...}} or "
        "{{address: ..., port: ...}} of cilium_clustermesh_info.",
    ),
    "UNREACHABLE": (
        "'{name}' cannot reach clustermesh-apiserver of '{peer}': {reason}",
        "Allow traffic from the nodes of '{name}' to it (firewall, security group), "
        "or set the endpoint at which '{peer}' can be reached.",
    ),
    "CLUSTERIP": (
        "clustermesh-apiserver is exposed as ClusterIP only",
        "Set clustermesh.apiserver.service.type to LoadBalancer or NodePort, or set endpoint: if peers have a route.",
    ),
    "NODEPORT_CLASH": (
        "'{one}' and '{other}' (Cilium < 1.19, kube-proxy replacement) share NodePort {port}: "
        "traffic would loop back locally (cilium#24692)",
        "Set another clustermesh.apiserver.service.nodePort on one of them.",
    ),
    "ENDPOINT_DUP": (
        "'{one}' and '{other}' announce the same endpoint {endpoint}",
        "Set another address or port for one of them (endpoint: of cilium_clustermesh_info).",
    ),
    "CA_MISMATCH": (
        "'{one}' trusts {trusted}, but the certificate of '{other}' is signed by {signer}; "
        "share a CA or add it to the bundle",
        "Run cilium_clustermesh_certs on every cluster with the same ca_bundle.",
    ),
    "CA_BUNDLE_OLD": (
        "Cilium is {version}: KVStoreMesh ignores tls.caBundle before {since}; use a shared CA",
        "Run cilium_clustermesh_certs on every cluster with one ca_cert, or upgrade Cilium.",
    ),
    "CERT_EXPIRED": ("{leaf} certificate expired {end}", _RENEW),
    "CERT_EXPIRING": ("{leaf} certificate expires in {days} days", _RENEW),
    "SAN_MISSING": (
        "server certificate lacks {san} (needed to dial {endpoint})",
        "Add it to server_sans of cilium_clustermesh_certs (extraDnsNames/extraIpAddresses of the chart), or use ips.",
    ),
    "LOCAL_CERT": (
        "KVStoreMesh is enabled, but there is no clustermesh-apiserver-local-cert: agents would wait forever "
        "(cilium#42841)",
        "Run cilium_clustermesh_certs, or let the issuer of the other certificates (tls method {method}) issue it.",
    ),
    "AUTHMODE": (
        "authMode=cluster needs a shared CA and remote CN remote-{name} (found {found})",
        "Run cilium_clustermesh_certs on it with auth_mode=cluster.",
    ),
    "POLICY_SCOPE": (
        "policies select only the local cluster by default (1.19+); "
        "policies for remote pods must name io.cilium.k8s.policy.cluster",
        "Find them with 'cilium clustermesh inspect-policy-default-local-cluster', fix them, then ignore this code.",
    ),
    "MTU": (
        "pod MTU {what}",
        "Set MTU of Cilium's chart to at most the MTU between the nodes, so that pods have the same on every cluster.",
    ),
}


def finding(code: str, records: Iterable[Record], **fields: Any) -> Finding:
    """Return the finding of this code about these clusters, with the fields that its text needs.

    Of one or two clusters the fields name and one are the first one's name, peer and other the last one's.
    """
    problem, step = RULES[code]
    names = [record["name"] for record in records]
    words = {"name": names[0], "one": names[0], "peer": names[-1], "other": names[-1], **fields}
    severity: Severity = "warning" if code in WARNINGS else "error"
    return Finding(severity, ", ".join(sorted({*names})), "", problem.format(**words), step.format(**words), code=code)


def grouped(records: Iterable[Record], value: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Return the records by value, the smallest value first."""
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(value(record), []).append(record)
    return dict(sorted(groups.items()))


def quoted(records: Iterable[Record]) -> str:
    """Return "'north', 'south'"."""
    return ", ".join(f"'{record['name']}'" for record in records)


def listed(groups: dict[Any, list[Record]]) -> str:
    """Return "255 of 'north', 'south'; 511 of 'west'"."""
    return "; ".join(f"{value} of {quoted(records)}" for value, records in groups.items())
