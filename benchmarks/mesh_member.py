# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One cluster of a measured mesh: a real API server with the objects that Cilium has there, and no nodes behind it."""

from dataclasses import dataclass

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import (
    AGENT_SECRET,
    KVSTOREMESH_SECRET,
    LEAFS,
    USERS,
)

import mesh_objects as objects
from api_server import ApiServer

_SYSTEM, _APPS = "/api/v1/namespaces/kube-system", "/apis/apps/v1/namespaces/kube-system"
_WRITTEN = [f"{_SYSTEM}/secrets/{name}" for name in (AGENT_SECRET, KVSTOREMESH_SECRET, *LEAFS.values())]
_WRITTEN += [f"{_SYSTEM}/configmaps/{USERS}"]


@dataclass(frozen=True)
class Member:
    """A cluster with a number from 1 on, which is its id."""

    number: int
    server: ApiServer

    @property
    def name(self) -> str:
        """Name of the cluster."""
        return f"c{self.number:02}"

    @property
    def address(self) -> str:
        """InternalIP of its only node."""
        return f"10.77.0.{self.number}"

    @property
    def kubeconfig(self) -> str:
        """Path of the kubeconfig."""
        return str(self.server.kubeconfig)

    def furnish(self) -> None:
        """Make the objects of a Cilium that is in no mesh yet."""
        cluster = Cluster(self.kubeconfig)
        node = objects.node(self.name, self.address, f"10.{self.number}.0.0/24")
        made = {
            f"{_SYSTEM}/configmaps": objects.config(cluster_name=self.name, cluster_id=str(self.number)),
            f"{_SYSTEM}/services": objects.service(),
            f"{_APPS}/deployments": objects.deployment(),
            f"{_APPS}/daemonsets": objects.daemon_set(),
            "/api/v1/nodes": node,
        }
        for path, item in made.items():
            cluster.request("POST", path, body={key: value for key, value in item.items() if key != "status"})
        status = {"status": node["status"]}
        path = f"/api/v1/nodes/{self.name}/status"
        cluster.request("PATCH", path, body=status, content_type="application/merge-patch+json")

    def leave(self) -> None:
        """Remove all that the modules write."""
        cluster = Cluster(self.kubeconfig)
        for path in _WRITTEN:
            if cluster.get(path):
                cluster.request("DELETE", path)

    def writes(self) -> int:
        """How many writing requests the server has had."""
        return len(self.server.writes())
