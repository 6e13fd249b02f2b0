# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for clusters of any distribution, their upgrades and their etcd members: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cluster import files, operations
from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "cluster_binary_files": files.binary_files,
            "cluster_kept_kubeconfig": files.kept_kubeconfig,
            "cluster_kubeconfig": files.kubeconfig,
            "cluster_registry_hosts": files.registry_hosts,
            "etcd_findings": as_text(operations.removal_findings),
            "etcd_healthy": operations.healthy_members,
            "etcd_members": operations.etcd_members,
            "upgrade_due": operations.upgrade_due,
            "upgrade_findings": as_text(operations.upgrade_findings),
            "upgrade_nodes": operations.nodes,
        }
