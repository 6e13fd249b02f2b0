# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_k3s: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as k3s_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "k3s_in_state": k3s_files.in_state,
            "k3s_inspected": k3s_files.inspected,
            "k3s_node_findings": as_text(k3s_files.node_findings),
            "k3s_registries": k3s_files.registries,
            "k3s_s3": k3s_files.s3,
            "k3s_upgrade_findings": as_text(k3s_files.upgrade_findings),
        }
