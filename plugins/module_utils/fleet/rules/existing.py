# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Clusters that somebody else made, and networks that are not ours. Pure."""

from __future__ import annotations

from typing import Any

from ...findings import Findings
from ..schema import Inventory

PROVIDER, KUBECONFIG, ENABLED = "existing", "cluster_existing_kubeconfig", "cilium_enabled"


def brings_cilium(own: dict[str, Any]) -> bool:
    """Whether the platform brings the network of a cluster with these variables."""
    return own.get(ENABLED, True) is not False


def existing(inventory: Inventory, record: dict[str, Any], findings: Findings) -> None:
    """A cluster that exists has a kubeconfig; one without our network is not in the mesh, and came with another."""
    for name, cluster in record["clusters"].items():
        own = inventory.clusters[name]
        if cluster["provider"] == PROVIDER and not own.get(KUBECONFIG):
            step = f"Set {KUBECONFIG} to the path of its kubeconfig."
            findings.error(name, "", f"{KUBECONFIG} is not set: how a cluster of provider existing is reached", step)
        if not isinstance(own.get(ENABLED, True), bool):
            problem = f"'{own[ENABLED]}' is not valid: whether the platform brings the network"
            findings.error(name, ENABLED, problem, "Write true or false.")
        if cluster["cilium"]:
            continue
        if cluster["id"]:
            step = "Leave cluster_id out, or set cilium_enabled: true."
            findings.error(name, "cluster_id", "the mesh is Cilium's, but cilium_enabled is false", step)
        if cluster["provider"] != PROVIDER:
            problem = f"provider {cluster['provider']} makes clusters without a network"
            findings.error(
                name, ENABLED, problem, "Leave it out; only a cluster of provider existing may have its own."
            )
