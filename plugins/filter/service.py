# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role service: thin doors to the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import (
    _service_manifests,
    _service_secrets,
    _service_view,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "service_bucket_of_peer": _service_secrets.bucket_of_peer,
            "service_findings": _service_manifests.findings,
            "service_images": _service_view.images,
            "service_manifests": _service_manifests.manifests,
            "service_secrets": _service_secrets.secrets,
            "service_view": _service_view.view,
            "service_waiting": _service_view.waiting,
        }
