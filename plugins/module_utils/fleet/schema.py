# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The variables of an inventory that describe the fleet. Pure.

Roles' own variables are described by the argument specs of the roles, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..service.declaration import ServiceRole

Variables = dict[str, Any]


@dataclass(frozen=True)
class Variable:
    """What one inventory variable may hold.

    kind: how the value is checked; name, choice, address, network, endpoint, url, version, number, switch, services or
        text.
    default: the value when unset; None means that the variable must be set.
    most: the largest number; the smallest is 1.
    renamed: values of earlier releases, each with the word that replaced it.
    """

    kind: str
    about: str
    default: str | int | bool | list[str] | None = None
    choices: tuple[str, ...] = ()
    most: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)


# Clusters on machines of the group nodes, and those that something else made.
ON_NODES = ("kubeadm", "k3s")
WITHOUT_NODES = ("kind", "existing")
PROVIDERS = (*ON_NODES, *WITHOUT_NODES)
CONTROL_PLANE, WORKER = ROLES = ("control_plane", "worker")
MACHINES = ("nspawn", "hcloud", "existing")
SOURCES = ("none", "oci", "git")
OBJECT_STORES = ("garage", "minio")
DATABASES = ("postgres", "cloudnative_pg")
API_PORT = 6443
# Of a mesh with Cilium's usual max-connected-clusters.
CLUSTER_ID = 255

CLUSTER = {
    "cluster_provider": Variable("choice", "what makes the cluster", choices=PROVIDERS),
    "cluster_kubernetes": Variable("version", "version of Kubernetes; that of artifacts_versions when empty", ""),
    "cluster_pod_cidr": Variable("network", "addresses of the pods", "10.244.0.0/16"),
    "cluster_service_cidr": Variable("network", "addresses of the Services", "10.96.0.0/16"),
    "cluster_id": Variable("number", "number of the cluster in the mesh", 0, most=CLUSTER_ID),
    "cluster_services": Variable("services", "roles of the data services that run in the cluster", []),
    "cluster_endpoint": Variable(
        "endpoint", f"host:port of the API; the first control plane node's address and port {API_PORT} when empty", ""
    ),
    "cluster_virtual_address": Variable("address", "address of the API that moves between the control plane nodes", ""),
}
NODE = {
    "node_cluster": Variable("name", "the cluster that the machine belongs to"),
    "node_role": Variable(
        "choice",
        "whether the node runs the control plane",
        "worker",
        ROLES,
        renamed={"server": "control_plane", "agent": "worker"},
    ),
    "node_address": Variable("address", "the machine's address, the same for SSH and for the cluster"),
    "node_network": Variable("name", "the private network that the machine shares with others of the same value", ""),
    "node_machine": Variable(
        "choice",
        "where the host comes from; nspawn: this machine, hcloud: Hetzner Cloud, existing: it exists already",
        "existing",
        MACHINES,
        renamed={"given": "existing"},
    ),
}
PLATFORM = {
    "platform_source": Variable(
        "choice",
        "where Flux reads its tree; oci: the fleet's registry, git: a Git repository, none: there is no Flux",
        "none",
        SOURCES,
    ),
    "platform_git_url": Variable("text", "URL of the Git repository that Flux reads, https:// or ssh://", ""),
    "platform_git_branch": Variable("text", "the branch of it that Flux reads", "main"),
    "platform_git_directory": Variable("text", "a clone of it here; the one that holds the inventory when empty", ""),
    "platform_domain": Variable("name", "domain below which services have their names", "localhost"),
    "platform_object_store": Variable("choice", "what the object store is", "garage", OBJECT_STORES),
    "platform_database": Variable("choice", "what gives services their databases", "postgres", DATABASES),
    "platform_gateway": Variable("switch", "services have routes on the Gateway gateway/gateway", False),
    "platform_issuer": Variable("name", "cert-manager's ClusterIssuer for the routes' certificates", ""),
    "platform_monitoring": Variable("switch", "services are watched by Prometheus' operator", False),
    "platform_http_proxy": Variable("url", "proxy for http:// of packages, images, downloads and Flux", ""),
    "platform_https_proxy": Variable("url", "proxy for https:// of the same", ""),
    "platform_no_proxy": Variable("text", "further names and ranges without proxy, with commas between them", ""),
    "platform_registry_mirror": Variable("url", "registry that the nodes pull every image from", ""),
    "platform_artifacts_mirror": Variable("url", "HTTP server that the nodes fetch every binary from", ""),
}
SCHEMA = {"cluster": CLUSTER, "node": NODE, "platform": PLATFORM}


@dataclass(frozen=True)
class Inventory:
    """What the pure rules may see of an inventory.

    clusters, nodes: the variables of each host of the group, by host name.
    common: variables of the fleet (platform_*), the same on every host.
    files: text of each inventory file, by path; only to say where a variable stands.
    roles: for each role its options and their defaults, {"cilium": {"cilium_values": {}}}.
    services: roles that cluster_services may name, by that name; those of this collection by their short names.
    known_hosts: file with the host keys of existing hosts; a new one in the state directory when empty.
    """

    directory: str
    cache: str
    clusters: dict[str, Variables]
    nodes: dict[str, Variables]
    common: Variables
    files: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Variables] = field(default_factory=dict)
    services: dict[str, ServiceRole] = field(default_factory=dict)
    known_hosts: str = ""
