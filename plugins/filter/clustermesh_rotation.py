# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for the replacement of a mesh's CA: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import _mesh_rotation


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "clustermesh_rotation_answers": _mesh_rotation.asked,
            "clustermesh_rotation_lacks": _mesh_rotation.lacks,
            "clustermesh_rotation_refusals": _mesh_rotation.refusals,
            "clustermesh_rotation_steps": _mesh_rotation.steps,
            "clustermesh_rotation_words": _mesh_rotation.words,
        }
