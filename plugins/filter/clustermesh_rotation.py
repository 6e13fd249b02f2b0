# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters for the replacement of a mesh's CA: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import rotation


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "clustermesh_rotation_answers": rotation.asked,
            "clustermesh_rotation_lacks": rotation.lacks,
            "clustermesh_rotation_refusals": rotation.refusals,
            "clustermesh_rotation_steps": rotation.steps,
            "clustermesh_rotation_words": rotation.words,
        }
