# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters about SSH: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.node import ssh_host_key


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "ssh_arguments": ssh_host_key.arguments,
            "ssh_unpinned": ssh_host_key.unpinned,
        }
