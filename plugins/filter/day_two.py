# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for what is done to a cluster after it was made: thin doors to the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cluster import etcd_members
from ansible_collections.opendata.platform.plugins.module_utils.cluster import upgrade as cluster_upgrade


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "etcd_findings": etcd_members.findings,
            "etcd_healthy": etcd_members.healthy,
            "etcd_members": etcd_members.members,
            "upgrade_due": cluster_upgrade.due,
            "upgrade_findings": cluster_upgrade.findings,
            "upgrade_nodes": cluster_upgrade.nodes,
        }
