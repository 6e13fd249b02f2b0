# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_existing: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.existing import kubeconfig


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {"existing_kubeconfig": kubeconfig.own}
