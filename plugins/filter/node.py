# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role node: thin wrappers of the pure files, with findings as text."""

from __future__ import annotations

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.node import preflight, ssh_host_key


def node_findings(*arguments: Any) -> list[str]:
    """Return everything that keeps a machine from being a node."""
    return [str(finding) for finding in preflight.findings(*arguments)]


def node_answer_finding(*arguments: Any) -> str:
    """Return what is wrong with the answer of a machine, empty if nothing is."""
    return str(preflight.answer_finding(*arguments) or "")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Return the filters by name."""
        return {
            "node_findings": node_findings,
            "node_answer_finding": node_answer_finding,
            "ssh_arguments": ssh_host_key.arguments,
            "ssh_unpinned": ssh_host_key.unpinned,
        }
