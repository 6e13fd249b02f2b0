# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role flux: doors to the pure rules of its installation and of the Secrets that it reads."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.opendata.platform.plugins.module_utils import _flux_install, _flux_secrets


class FilterModule:
    """Filters for what is installed, what cannot be had, and what is encrypted."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "flux_encrypted_files": _flux_secrets.published,
            "flux_encrypted_findings": _flux_secrets.findings,
            "flux_install": _flux_install.install,
            "flux_secrets": _flux_secrets.secrets,
            "flux_waiting": _flux_install.waiting,
        }
