# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for upgrades of clusters: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cluster import operations
from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "upgrade_due": operations.upgrade_due,
            "upgrade_findings": as_text(operations.upgrade_findings),
            "upgrade_nodes": operations.nodes,
        }
