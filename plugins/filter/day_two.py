# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for what is done to a cluster after it was made: thin doors to the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import _cluster_upgrade, _etcd_members


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "etcd_findings": _etcd_members.findings,
            "etcd_healthy": _etcd_members.healthy,
            "etcd_members": _etcd_members.members,
            "upgrade_due": _cluster_upgrade.due,
            "upgrade_findings": _cluster_upgrade.findings,
            "upgrade_nodes": _cluster_upgrade.nodes,
        }
