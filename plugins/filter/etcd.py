# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for the members of etcd: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cluster import operations
from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "etcd_findings": as_text(operations.removal_findings),
            "etcd_healthy": operations.healthy_members,
            "etcd_members": operations.etcd_members,
        }
