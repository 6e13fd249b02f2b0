# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters about HTTP proxies: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.fleet import proxy


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "proxy_apt": proxy.apt,
            "proxy_environment": proxy.environment,
            "proxy_environment_file": proxy.environment_file,
        }
