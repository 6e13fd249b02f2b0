# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cilium: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import _cilium


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "cilium_settings": _cilium.settings,
            "cilium_fit": _cilium.fit,
            "cilium_notes": _cilium.notes,
        }
