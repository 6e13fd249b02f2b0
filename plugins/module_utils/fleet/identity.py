# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether kubeconfigs lead to the same clusters as in earlier runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Finding


@dataclass(frozen=True)
class Seen:
    """A cluster: its kubeconfig, its UID ("": no answer), path and content ("": none) of the record of its UID."""

    name: str
    kubeconfig: str
    uid: str
    file: str
    recorded: str


def findings(seen: list[Seen]) -> list[Finding]:
    """One error for each cluster whose UID differs from the recorded one."""
    return [
        Finding(
            "error",
            each.name,
            "",
            f"kubeconfig {each.kubeconfig} points to the cluster with UID {each.uid}, recorded is {each.recorded}",
            f"Replace the kubeconfig. If the cluster was recreated on purpose, remove the record: rm {each.file}",
            where=each.file,
            value=each.uid,
        )
        for each in seen
        if each.uid and each.recorded and each.uid != each.recorded
    ]


def unrecorded(seen: list[Seen]) -> list[Seen]:
    """Clusters that answered and have no record."""
    return [each for each in seen if each.uid and not each.recorded]
