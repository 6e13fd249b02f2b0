# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The Kustomization of a service, and the HelmRelease of a chart. Pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest
from .schema import Release

FLUX = "flux-system"
_SOURCES = "source.toolkit.fluxcd.io/v1"
# A failed release is retried in place: what runs keeps running, and no uninstall deletes data.
_RETRY = {"name": "RetryOnFailure", "retryInterval": "1m"}


def kustomization(release: Release, source: dict[str, str]) -> Manifest:
    """The Kustomization that applies the service, after those that it requires.

    source: kind of the source `platform`, and prefix of the tree's paths in it.
    """
    spec: dict[str, Any] = {
        "interval": "5m",
        "retryInterval": "10s",
        "timeout": f"{release['timeout']}s",
        "path": f"{source['prefix']}/services/{release['name']}",
        "sourceRef": {"kind": source["kind"], "name": "platform"},
        "prune": True,
        "wait": True,
        # Removed from the list means deleted from the cluster.
        "deletionPolicy": "WaitForTermination",
    }
    if release["requires"]:
        spec["dependsOn"] = [{"name": name} for name in release["requires"]]
    return _object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", release["name"], FLUX, spec)


def chart(release: Release) -> list[Manifest]:
    """Source and HelmRelease of the upstream chart."""
    wanted, name, namespace = release["chart"], release["name"], release["namespace"]
    if wanted["repo"].startswith("oci://"):
        kind = "OCIRepository"
        source: dict[str, Any] = {"interval": "1h", "url": f"{wanted['repo'].rstrip('/')}/{wanted['name']}"}
        source |= {"ref": {"tag": wanted["version"]}}
        origin: dict[str, Any] = {"chartRef": {"kind": kind, "name": name}}
    else:
        kind = "HelmRepository"
        source = {"interval": "1h", "url": wanted["repo"]}
        reference = {"kind": kind, "name": name}
        inside = {"chart": wanted["name"], "version": wanted["version"], "sourceRef": reference}
        origin = {"chart": {"spec": inside}}
    spec = {
        "interval": "1h",
        "timeout": f"{release['timeout']}s",
        "releaseName": name,
        **origin,
        "install": {"crds": "CreateReplace", "strategy": dict(_RETRY)},
        "upgrade": {"crds": "CreateReplace", "strategy": dict(_RETRY)},
        "driftDetection": {"mode": "enabled"},
        "values": release["values"],
    }
    return [
        _object(_SOURCES, kind, name, namespace, source),
        _object("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, namespace, spec),
    ]


def _object(version: str, kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
