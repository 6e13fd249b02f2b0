# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role flux: thin wrappers of the pure files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.opendata.platform.plugins.module_utils.flux import install as flux_install
from ansible_collections.opendata.platform.plugins.module_utils.flux import sops


def encrypted_findings(files: Mapping[str, str], key: str, namespaces: list[str], key_file: str) -> list[str]:
    """The findings of encrypted Secrets as text."""
    return [str(each) for each in sops.findings(files, key, namespaces, key_file)]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by name."""
        return {
            "flux_encrypted_files": sops.published,
            "flux_encrypted_findings": encrypted_findings,
            "flux_install": flux_install.install,
            "flux_secrets": sops.secrets,
            "flux_waiting": flux_install.waiting,
        }
