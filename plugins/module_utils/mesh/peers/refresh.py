# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Let pods of Cilium see at once what was written to the Secrets that they mount.

A kubelet looks at mounted Secrets about once a minute, and at once for a pod that changed.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from ...kubernetes.client import ApiError, Cluster

_ANNOTATION = "cilium-clustermesh-ansible/peers-written-at"
_PODS = "k8s-app in (cilium,clustermesh-apiserver)"
_WORKERS = 8


def nudge(cluster: Cluster, namespace: str, now: datetime) -> None:
    """Annotate the pods of agents and clustermesh-apiserver; one that refuses sees the change a minute later."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    body = {"metadata": {"annotations": {_ANNOTATION: now.isoformat()}}}

    def annotate(name: str) -> None:
        with contextlib.suppress(ApiError):
            cluster.request("PATCH", f"{path}/{name}", {}, body, content_type="application/merge-patch+json")

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(annotate, [pod["name"] for pod in cluster.names(path, _PODS)]))
