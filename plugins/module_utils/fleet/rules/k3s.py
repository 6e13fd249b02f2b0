# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for the variables of role cluster_k3s, each adds findings. Pure."""

from __future__ import annotations

import re
from typing import Any

from ...findings import Findings, did_you_mean
from ...k3s.files import S3
from ..schema import Inventory

Own = dict[str, Any]


def k3s(inventory: Inventory, record: dict[str, Any], findings: Findings) -> None:
    """What nodes of k3s have as binary and for snapshots; what a whole cluster has is told once."""
    for cluster in record["clusters"].values():
        version = cluster["kubernetes"]
        if cluster["provider"] == "k3s" and not re.fullmatch(r"v1\.\d+\.\d+\+k3s\d+", version):
            problem = f"'{version}' is no version of k3s"
            findings.error(cluster["name"], "cluster_kubernetes", problem, "Write one such as v1.36.4+k3s1.")
        told: list[Own] = []
        for node in cluster["nodes"] if cluster["provider"] == "k3s" else []:
            own = {name: value for name, value in inventory.nodes[node].items() if name.startswith("cluster_k3s_")}
            if own not in told:
                told.append(own)
                _binary(node, own, findings)
                _s3(node, own.get("cluster_k3s_s3", {}), findings)


def _binary(node: str, own: Own, findings: Findings) -> None:
    """A file on the controller is known by its digest."""
    if not own.get("cluster_k3s_binary"):
        return
    if not re.fullmatch("[0-9a-f]{64}", str(own.get("cluster_k3s_sha256", ""))):
        problem = f"'{own['cluster_k3s_binary']}' has no cluster_k3s_sha256 of 64 digits 0-9 and a-f"
        findings.error(node, "cluster_k3s_binary", problem, "Take that of sha256sum-amd64.txt of the release.")


def _s3(node: str, settings: Any, findings: Findings) -> None:
    """Only what k3s knows, and a bucket; values may be secret and are not told."""
    if not isinstance(settings, dict):
        findings.error(node, "cluster_k3s_s3", "is no mapping", "Write {bucket: …, endpoint: …}.")
        return
    for key in sorted(set(settings) - set(S3)):
        findings.error(node, "cluster_k3s_s3", f"k3s has no setting '{key}' of S3", did_you_mean(str(key), S3))
    if settings and not settings.get("bucket"):
        findings.error(node, "cluster_k3s_s3", "names no bucket", "Add the bucket that takes the snapshots.")
