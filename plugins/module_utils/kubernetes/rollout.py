# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Wait until workloads are rolled out. Private: it may change without notice."""

from __future__ import annotations

import time

from . import health, manifests
from .client import Cluster
from .manifests import Manifest
from .pod_diagnostics import pod_details

_PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}


def settle(cluster: Cluster, wanted: list[Manifest], seconds: float) -> list[str]:
    """Wait until the Deployments and DaemonSets of the manifests are rolled out; return why some are not."""
    deadline = time.monotonic() + seconds
    lines: list[str] = []
    for each in wanted:
        if each["kind"] not in _PLURALS or not each["apiVersion"].startswith("apps/"):
            continue
        metadata, words = each["metadata"], manifests.name_of(each)
        namespace = metadata.get("namespace", "default")
        path = f"/apis/{each['apiVersion']}/namespaces/{namespace}/{_PLURALS[each['kind']]}"

        def lack(items: list[Manifest], words: str = words) -> str:
            return health.workload(items[0] if items else None, words)

        left = max(0.0, deadline - time.monotonic())
        well, items = cluster.wait(
            path, lambda items, lack=lack: not lack(items), left, fieldSelector=f"metadata.name={metadata['name']}"
        )
        if not well:
            labels = ",".join(f"{key}={value}" for key, value in each["spec"]["selector"]["matchLabels"].items())
            pods = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels})["items"]
            lines += [lack(items), *(line for pod in pods if health.pod(pod) for line in pod_details(cluster, pod))]
    return lines
