# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read which Cilium a cluster has, and whose it is."""

from __future__ import annotations

from typing import Any

from ..kubernetes import helm_release
from ..kubernetes.client import Cluster
from ..kubernetes.health import image_version

NAMESPACE = "kube-system"
# Role cilium writes it before it installs or takes over a release.
_OURS = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-values"
_RELEASE = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_FLUX = ("helm.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/name")


def found(cluster: Cluster, daemon_sets: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return Cilium's DaemonSet, version and helm release, whether it is ours, and what forbids to take it over.

    :param daemon_sets: those of all namespaces.
    """
    agents = [
        each
        for each in daemon_sets
        if (each["metadata"].get("labels") or {}).get("k8s-app") == "cilium" or each["metadata"]["name"] == "cilium"
    ]
    if not agents:
        return None
    metadata = agents[0]["metadata"]
    release, namespace = ((metadata.get("annotations") or {}).get(key, "") for key in _RELEASE)
    there = {
        "daemon_set": metadata["name"],
        "namespace": metadata["namespace"],
        "version": image_version(agents[0]),
        "release": release,
        "ours": cluster.get(_OURS) is not None,
        "problem": "",
        "step": "",
    }
    if there["ours"]:
        return there
    owner = [(metadata.get("labels") or {}).get(key, "") for key in _FLUX]
    if not release:
        there["problem"] = "an existing Cilium belongs to no Helm release"
        there["step"] = "Remove it, reinstall it with Helm, or keep it and set cilium_enabled: false."
    elif namespace != NAMESPACE:
        there["problem"] = (
            f"Cilium is helm release {release} in namespace {namespace}; the platform looks in {NAMESPACE}"
        )
        there["step"] = f"Reinstall it in {NAMESPACE}, or keep it and set cilium_enabled: false."
    elif any(owner):
        there["problem"] = f"Cilium is managed by HelmRelease {'/'.join(owner)} of another Flux"
        there["step"] = "Remove it from that Flux without uninstalling the release, or set cilium_enabled: false."
    elif helm_release.newest(cluster, NAMESPACE, release)[1] is None:
        there["problem"] = (
            f"helm's record of release {release} is in no Secret of {NAMESPACE}, so it cannot be compared"
        )
        there["step"] = "Use Helm's Secret storage driver, or set cilium_enabled: false."
    return there
