# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether kubeconfigs lead to the clusters of earlier runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """A cluster: its kubeconfig, the UID found behind it ("": no answer), the record's path and content ("": none)."""

    name: str
    kubeconfig: str
    uid: str
    file: str
    recorded: str


def findings(seen: list[Seen]) -> list[str]:
    """One sentence for each cluster that is another than the recorded one."""
    return [
        f"Cluster {each.name}: kubeconfig {each.kubeconfig} leads to the cluster with UID {each.uid}, but that of "
        f"earlier runs has UID {each.recorded} ({each.file}). Put the right kubeconfig there. "
        f"If the cluster was made anew on purpose, remove the record: rm {each.file}"
        for each in seen
        if each.uid and each.recorded and each.uid != each.recorded
    ]


def unrecorded(seen: list[Seen]) -> list[Seen]:
    """Clusters that were reached for the first time."""
    return [each for each in seen if each.uid and not each.recorded]
