# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role flux: doors to the pure rules of its installation and of the Secrets that it reads."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.opendata.platform.plugins.module_utils.flux import install as flux_install
from ansible_collections.opendata.platform.plugins.module_utils.flux import sops


class FilterModule:
    """Filters for what is installed, what cannot be had, and what is encrypted."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "flux_encrypted_files": sops.published,
            "flux_encrypted_findings": sops.findings,
            "flux_install": flux_install.install,
            "flux_secrets": sops.secrets,
            "flux_waiting": flux_install.waiting,
        }
