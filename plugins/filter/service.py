# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role service: thin wrappers of the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.service import secrets, tree


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "service_bucket_of_peer": secrets.bucket_of_peer,
            "service_images": tree.images,
            "service_secrets": secrets.secrets,
            "service_view": tree.view,
            "service_waiting": tree.waiting,
        }
