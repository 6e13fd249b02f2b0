# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role clustermesh: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import _mesh_report, _mesh_roster


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "clustermesh_behind": _mesh_roster.behind,
            "clustermesh_first_nodes": _mesh_roster.first_nodes,
            "clustermesh_gone": _mesh_roster.gone,
            "clustermesh_records": _mesh_roster.records,
            "clustermesh_strangers": _mesh_roster.strangers,
            "clustermesh_unwell": _mesh_report.unwell,
        }
