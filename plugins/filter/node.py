# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role node: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.node import preflight


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "node_findings": preflight.findings,
            "node_answer_finding": preflight.answer_finding,
        }
