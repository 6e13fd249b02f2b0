# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The words of every finding about a mesh by its code: what is wrong, what to do; fields in braces."""

from __future__ import annotations

# All others are errors.
WARNINGS = frozenset({"CERT_EXPIRING", "ENCRYPTION", "MTU", "POLICY_SCOPE", "SVC_POD_OVERLAP"})

RULES: dict[str, tuple[str, str]] = {
    "NAME_FORMAT": (
        "cluster name '{name}' is invalid: at most 32 lower-case alphanumerics or '-', "
        "beginning and ending with an alphanumeric",
        "Install Cilium with another cluster.name.",
    ),
    "NAME_DEFAULT": (
        "cluster '{name}' (context {context}) still has the name 'default' or id 0; set cluster.name and cluster.id "
        "at install time (changing them later restarts all workloads)",
        "Set both values of Cilium's chart; where workloads run already, restart all of them afterwards.",
    ),
    "NAME_DUP": (
        "clusters {one} and {other} both use name '{name}'; names must be unique in the mesh",
        "Change cluster.name of one, or correct a context if both lead to the same cluster.",
    ),
    "ID_DUP": (
        "clusters {one} and {other} both use id {id}; ids must be unique in the mesh",
        "Change cluster.id of one, or correct a context if both lead to the same cluster.",
    ),
    "ID_RANGE": (
        "id {id} of '{name}' is outside 1..{most} (max-connected-clusters={most})",
        "Change its cluster.id to a free one in this range.",
    ),
    "ID_BUGGY": (
        "id {id} of '{name}' has bit 7 set and IPAM is {ipam}: policies would drop traffic (cilium#21330); "
        "use 1-127 or 256-383",
        "Change its cluster.id to a free one of these.",
    ),
    "MAXCLUSTERS": (
        "max-connected-clusters differs ({values}) or is not 255/511; it cannot be changed on a live cluster",
        "Install every cluster with the same clustermesh.maxConnectedClusters, 255 or 511.",
    ),
    "CIDR_OVERLAP": (
        "pod CIDR {cidr} of '{one}' overlaps {other_cidr} of '{other}'",
        "Build one of them with another pod range.",
    ),
    "NODE_IP_DUP": (
        "node IP {ip} of '{one}' is also a node IP of '{other}'",
        "Give every node an InternalIP of its own (kubelet --node-ip), for instance of an overlay network.",
    ),
    "NODES_UNREACHED": (
        "nodes of '{name}' do not reach node {ip} of '{peer}': {nodes}",
        "Open the ports between the nodes (firewall, security group), or give nodes an InternalIP that all reach, "
        "public or of an overlay network.",
    ),
    "SVC_POD_OVERLAP": (
        "pod CIDR {cidr} of '{one}' overlaps service CIDR {other_cidr} of '{other}'",
        "Build one of them with another range: in '{other}' a service may have the address of a pod of '{one}'.",
    ),
    "DATAPATH": (
        "routing-mode/tunnel-protocol/tunnel-port differ: {values}",
        "Set routingMode, tunnelProtocol and tunnelPort alike on every cluster.",
    ),
    "NATIVE_CIDR": (
        "ipv4-native-routing-cidr {native} of '{name}' does not cover {cidrs}",
        "Set ipv4NativeRoutingCIDR to a range that holds the pods of every cluster.",
    ),
    "VERSION_SKEW": (
        "Cilium {old} ({olds}) and {new} ({news}) are more than {most} apart",
        "Upgrade {olds} first.",
    ),
    "VERSION_OLD": (
        "Cilium {version} ('{name}') is below {oldest}",
        "Upgrade Cilium on '{name}'.",
    ),
    "ENCRYPTION": (
        "{ones} encrypts with {one}, {others} with {other}",
        "Set encryption.enabled, encryption.type and encryption.nodeEncryption alike on every cluster.",
    ),
    "NO_ENDPOINT": (
        "'{name}': Service clustermesh-apiserver ({type}) has no address peers can dial; wait for the load balancer, "
        "set service.type, or give endpoint",
        "Give endpoint: {{ips: [...], port: ...}} or {{address: ..., port: ...}} to cilium_clustermesh_info.",
    ),
    "UNREACHABLE": (
        "'{name}' cannot reach clustermesh-apiserver of '{peer}': {reason}",
        "Let the nodes of '{name}' through to it (firewall, security group), "
        "or give the endpoint at which '{peer}' is reached.",
    ),
    "CLUSTERIP": (
        "'{name}' exposes clustermesh-apiserver as ClusterIP; give endpoint: explicitly or change the type",
        "Set clustermesh.apiserver.service.type to LoadBalancer or NodePort, or give endpoint: if peers have a route.",
    ),
    "NODEPORT_CLASH": (
        "'{one}' and '{other}' (Cilium < 1.19, kube-proxy replacement) share NodePort {port}: "
        "traffic would loop back locally (cilium#24692)",
        "Set another clustermesh.apiserver.service.nodePort on one of them.",
    ),
    "ENDPOINT_DUP": (
        "'{one}' and '{other}' announce the same endpoint {endpoint}",
        "Give the wrong one its own address or port (endpoint: of cilium_clustermesh_info).",
    ),
    "CA_MISMATCH": (
        "'{one}' trusts {trusted}, but the certificate of '{other}' is signed by {signer}; "
        "share a CA or add it to the bundle",
        "Run cilium_clustermesh_certs on every cluster with the same ca_bundle.",
    ),
    "CA_BUNDLE_OLD": (
        "'{name}' runs Cilium {version}: KVStoreMesh ignores tls.caBundle before {since}; use a shared CA",
        "Run cilium_clustermesh_certs on every cluster with one ca_cert, or upgrade Cilium on '{name}'.",
    ),
    "CERT_EXPIRED": (
        "{leaf} certificate of '{name}' ended {end}",
        "Renew it with cilium_clustermesh_certs, or with what issued it (tls method {method}).",
    ),
    "CERT_EXPIRING": (
        "{leaf} certificate of '{name}' ends in {days} days",
        "Renew it with cilium_clustermesh_certs, or with what issued it (tls method {method}).",
    ),
    "SAN_MISSING": (
        "server certificate of '{name}' lacks {san} (needed to dial {endpoint}); "
        "add it to extraDnsNames/extraIpAddresses or use ips",
        "With cilium_clustermesh_certs add it to server_sans.",
    ),
    "LOCAL_CERT": (
        "'{name}' has KVStoreMesh but no clustermesh-apiserver-local-cert: agents would wait forever (cilium#42841)",
        "Run cilium_clustermesh_certs on it, or let what issued the other certificates (tls method {method}) make it.",
    ),
    "AUTHMODE": (
        "'{name}' uses authMode=cluster, needs a shared CA and remote CN remote-{name} (found {found})",
        "Run cilium_clustermesh_certs on it with auth_mode=cluster.",
    ),
    "POLICY_SCOPE": (
        "'{name}' selects only the local cluster by default (1.19+); "
        "policies for remote pods must name io.cilium.k8s.policy.cluster",
        "Find them with 'cilium clustermesh inspect-policy-default-local-cluster', mend them, then ignore this code.",
    ),
    "MTU": (
        "pod MTU {what}",
        "Set MTU of Cilium's chart to at most the MTU between the nodes, so that pods have the same on every cluster.",
    ),
}
