# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role node: thin wrappers of the pure files, with findings as text."""

from __future__ import annotations

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text
from ansible_collections.opendata.platform.plugins.module_utils.node import preflight, ssh_host_key


def node_answer_finding(answer: dict[str, Any], node: dict[str, Any], file: str) -> str:
    """Return what is wrong with the answer of a machine, empty if nothing is."""
    return str(preflight.answer_finding(answer, node, file) or "")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Return the filters by name."""
        return {
            "node_findings": as_text(preflight.findings),
            "node_answer_finding": node_answer_finding,
            "ssh_arguments": ssh_host_key.arguments,
            "ssh_unpinned": ssh_host_key.unpinned,
        }
