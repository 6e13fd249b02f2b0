# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cilium: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cilium import values as cilium_values


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "cilium_settings": cilium_values.settings,
            "cilium_fit": cilium_values.fit,
            "cilium_notes": cilium_values.notes,
        }
