# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Names of the objects of a Cluster Mesh, as Cilium's chart gives them."""

from __future__ import annotations

AGENT_SECRET = "cilium-clustermesh"  # entries that the agents read
KVSTOREMESH_SECRET = "cilium-kvstoremesh"  # entries that KVStoreMesh reads
USERS = "clustermesh-remote-users"
SERVICE = "clustermesh-apiserver"
DEPLOYMENT = "clustermesh-apiserver"
CONFIG = "cilium-config"
LEAFS = {
    "server": "clustermesh-apiserver-server-cert",
    "admin": "clustermesh-apiserver-admin-cert",
    "remote": "clustermesh-apiserver-remote-cert",
    "local": "clustermesh-apiserver-local-cert",
}
DOMAIN = "mesh.cilium.io"
MANAGER = "cilium-clustermesh-ansible"
