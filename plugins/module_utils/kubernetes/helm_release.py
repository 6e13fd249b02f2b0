# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read the releases that Helm stores in Secrets."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from .client import Cluster

Release = dict[str, Any]


def newest(cluster: Cluster, namespace: str, name: str) -> tuple[str, Release | None]:
    """Return the path of the Secret of a release's newest revision, and the release; None if it is not installed."""
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    revisions = cluster.names(secrets, f"owner=helm,name={name}")
    if not revisions:
        return "", None
    path = f"{secrets}/{max(revisions, key=lambda each: int(each['labels']['version']))['name']}"
    return path, decode(cluster.request("GET", path)["data"]["release"])


def decode(data: str) -> Release:
    """Return the release in a Secret's ``data.release``: base64 of the API, base64 of Helm, gzip, JSON."""
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    return dict(release)


def gap(release: Release | None, version: str, values: dict[str, Any]) -> str:
    """Return in words what the release lacks to be this chart version with these values; empty if nothing."""
    if release is None:
        return "is not installed"
    status = release["info"]["status"]
    if status != "deployed":
        return f"is not deployed but {status}: an earlier run of helm did not end well"
    installed = release["chart"]["metadata"]["version"]
    if installed != version:
        return f"is chart {installed}, wanted is {version}"
    if (release.get("config") or {}) != values:
        return "has other values"
    return ""


def as_installed(manifest: dict[str, Any], name: str, namespace: str) -> dict[str, Any]:
    """Return the manifest with the marks by which Helm knows its own objects; it adds them only when it applies."""
    metadata = manifest["metadata"]
    marks = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    return {
        **manifest,
        "metadata": {
            **metadata,
            "annotations": {**(metadata.get("annotations") or {}), **marks},
            "labels": {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"},
        },
    }
