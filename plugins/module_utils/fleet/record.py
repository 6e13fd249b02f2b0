# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The inventory as given, and the fleet record: the same, validated and with all defaults, as every play reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from ..service.declaration import ServiceRole
from .schema import Schema

Variables = dict[str, Any]


@dataclass(frozen=True)
class Inventory:
    """The variables of all hosts, and what is needed to check them.

    directory: the directory of the inventory; its name is the name of the fleet.
    cache: the directory of artifacts that all fleets of a user share.
    clusters, nodes: the variables of each host of the group, by host name.
    common: platform_* variables, which are the same on every host.
    schema: the variables that describe a fleet, by prefix; see schema.read.
    files: the text of each inventory file, by path; only to report where a variable is set.
    roles: the options of each role with their defaults, {"cilium": {"cilium_values": {}}}.
    options: the options of each role as its argument specs describe them, by the role's name.
    services: roles that cluster_services may name, by that name; those of this collection by their short names.
    known_hosts: the file with the host keys of existing hosts; one in the state directory when empty.
    """

    directory: str
    cache: str
    clusters: dict[str, Variables]
    nodes: dict[str, Variables]
    common: Variables
    schema: Schema
    files: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Variables] = field(default_factory=dict)
    options: dict[str, dict[str, Variables]] = field(default_factory=dict)
    services: dict[str, ServiceRole] = field(default_factory=dict)
    known_hosts: str = ""

    def value(self, own: Variables, role: str, variable: str) -> Any:
        """A role's variable as a host with these variables sets it, or the role's default."""
        return own.get(variable, self.roles.get(role, {}).get(variable))


class PlatformRecord(TypedDict):
    """platform_* variables; not the proxies' URLs, which may hold a password: logs show the record."""

    source: str
    git_url: str
    git_branch: str
    git_directory: str
    domain: str
    object_store: str
    database: str
    gateway: bool
    issuer: str
    monitoring: bool
    no_proxy: str
    registry_mirror: str
    artifacts_mirror: str


class NodeRecord(TypedDict):
    """node_* variables of one host of group nodes."""

    name: str
    cluster: str
    role: str
    address: str
    network: str
    machine: str


class ClusterRecord(TypedDict):
    """cluster_* variables of one host of group clusters, and what follows from them.

    endpoint: host:port of the API server as nodes and users reach it.
    api_host, api_port: where Cilium reaches the API server from every node.
    kubeconfig, uid_file: paths in the state directory.
    tree_path: where the cluster's tree is in the source that Flux reads, "." or "./clusters/<fleet>/<cluster>".
    service_roles: the services that the roles in services declare, in the same order.
    control_planes, workers, nodes: names of its nodes, in the order of their names.
    cilium: whether this collection installs the network.
    encrypted: whether Cilium encrypts the traffic between nodes.
    no_proxy: what is reached without the HTTP proxy.
    """

    name: str
    provider: str
    kubernetes: str
    pod_cidr: str
    service_cidr: str
    id: int
    services: list[str]
    service_roles: list[dict[str, Any]]
    endpoint: str
    virtual_address: str
    api_host: str
    api_port: int
    kubeconfig: str
    uid_file: str
    tree_path: str
    control_planes: list[str]
    workers: list[str]
    nodes: list[str]
    cilium: bool
    encrypted: bool
    no_proxy: list[str]


class FleetRecord(TypedDict):
    """A fleet.

    directory, state, cache: absolute paths: of the inventory, of its state directory, and of the shared cache.
    known_hosts: the file with the host keys of existing hosts.
    mesh: names of the clusters in the mesh.
    host_address: the address of the bridge on this machine; empty without nodes on it.
    engine: the container engine of kind clusters; empty without any.
    """

    name: str
    directory: str
    state: str
    cache: str
    known_hosts: str
    platform: PlatformRecord
    clusters: dict[str, ClusterRecord]
    nodes: dict[str, NodeRecord]
    mesh: list[str]
    host_address: str
    engine: str
