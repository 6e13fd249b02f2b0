# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role clustermesh: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.mesh import members
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import report as status_report


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "clustermesh_behind": members.behind,
            "clustermesh_first_nodes": members.first_nodes,
            "clustermesh_gone": members.gone,
            "clustermesh_records": members.records,
            "clustermesh_strangers": members.strangers,
            "clustermesh_unwell": status_report.unwell,
        }
