# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The variables of an inventory that describe the fleet. Private to this collection, pure.

Roles' own variables are described by the argument specs of the roles, not here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """What one inventory variable may hold.

    kind: name, choice, address, network, endpoint, url or number; says how the value is checked.
    default: the value when unset; None means that the variable must be set.
    most: the largest number; the smallest is 1.
    """

    kind: str
    about: str
    default: str | int | None = None
    choices: tuple[str, ...] = ()
    most: int = 0


PROVIDERS = ("kubeadm",)
ROLES = ("server", "agent")
MACHINES = ("nspawn", "given")
API_PORT = 6443
# Of a mesh with Cilium's usual max-connected-clusters.
CLUSTER_ID = 255

CLUSTER = {
    "cluster_provider": Variable("choice", "what makes the cluster", choices=PROVIDERS),
    "cluster_pod_cidr": Variable("network", "addresses of the pods", "10.244.0.0/16"),
    "cluster_service_cidr": Variable("network", "addresses of the Services", "10.96.0.0/16"),
    "cluster_id": Variable("number", "number of the cluster in the mesh", 0, most=CLUSTER_ID),
    "cluster_endpoint": Variable(
        "endpoint", f"host:port of the API for everybody; the first server's address and port {API_PORT} when empty", ""
    ),
}
NODE = {
    "node_cluster": Variable("name", "the cluster that the machine belongs to"),
    "node_role": Variable("choice", "server runs the control plane, agent does not", "agent", ROLES),
    "node_address": Variable("address", "the machine's address, the same for SSH and for the cluster"),
    "node_machine": Variable("choice", "nspawn: made here by this run; given: exists already", "given", MACHINES),
}
PLATFORM = {
    "platform_registry_mirror": Variable("url", "registry that the nodes pull every image from", ""),
    "platform_artifacts_mirror": Variable("url", "HTTP server that the nodes fetch every binary from", ""),
}
SCHEMA = {"cluster": CLUSTER, "node": NODE, "platform": PLATFORM}
