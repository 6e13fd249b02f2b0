# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The objects that install Flux, from the manifests of its distribution. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from ..kubernetes import manifests

Object = dict[str, Any]

NAMESPACE = "flux-system"
NOTIFICATION = "notification-controller"
_PROXY = {"name": "proxy", "namespace": NAMESPACE}
COMPONENTS = ("source-controller", "kustomize-controller", "helm-controller", NOTIFICATION)
# API group of a CRD to the controller that serves it, and Services that are not named for theirs.
_GROUPS = {f"{each.partition('-')[0]}.toolkit.fluxcd.io": each for each in COMPONENTS}
_SERVICES = {"webhook-receiver": NOTIFICATION, "allow-webhooks": NOTIFICATION}
# Check dependencies every 5 seconds instead of 30, and let a new revision end the health checks of a failing one.
_SOON = ["--concurrent=8", "--requeue-dependency=5s", "--feature-gates=CancelHealthCheckOnNewRevision=true"]
_ARGUMENTS = {
    "source-controller": ["--concurrent=4"],
    "kustomize-controller": _SOON,
    "helm-controller": _SOON,
    NOTIFICATION: [],
}
_CLUSTER_SCOPED = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace")


def images(known: dict[str, Any]) -> dict[str, str]:
    """The image of each component that is available, pinned by digest if that is known."""
    found = {}
    for reference, entry in known.items():
        name = reference.rpartition("/")[2].partition(":")[0]
        if reference.startswith("ghcr.io/fluxcd/") and name in COMPONENTS:
            found[name] = f"{reference}@{entry['digest']}" if entry.get("digest") else reference
    return found


def waiting(known: dict[str, Any]) -> dict[str, str]:
    """The components of Flux that are unavailable here, with the reason."""
    lacking = sorted(set(COMPONENTS) - images(known).keys())
    return {name: f"image of Flux {name} not available" for name in lacking}


def install(text: str, known: dict[str, Any], nodes: int, proxy: dict[str, str] | None = None) -> list[Object]:
    """The objects of the components whose images are available.

    text: the distribution's manifests.
    known: the fact artifacts.images.
    nodes: number of nodes of the cluster; on a single one there is no leader election.
    proxy: environment variables of the controllers, kept in a Secret because a URL may hold a password.
    """
    have = images(known)
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    found = [namespace]
    for each in manifests.load(text):
        if each["kind"] != "Namespace" and _component(each) in ("", *have):
            found.append(_fitted(each, have, nodes))
    if proxy:
        found.insert(1, {"apiVersion": "v1", "kind": "Secret", "metadata": dict(_PROXY), "stringData": proxy})
        _read_proxy(found, proxy)
    found[0]["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}
    return found


def _read_proxy(found: list[Object], proxy: dict[str, str]) -> None:
    """Let the controllers read the Secret, and restart when it changes."""
    digest = hashlib.sha256(json.dumps(proxy, sort_keys=True).encode()).hexdigest()
    for each in found:
        if each["kind"] == "Deployment":
            template = each["spec"]["template"]
            template.setdefault("metadata", {}).setdefault("annotations", {})["opendata.platform/proxy"] = digest[:16]
            template["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": _PROXY["name"]}}]


def _component(each: Object) -> str:
    """The controller that an object belongs to: "" for shared objects, "other" for components that are left out."""
    name = each["metadata"]["name"]
    if each["kind"] == "CustomResourceDefinition":
        return _GROUPS.get(each["spec"]["group"], "other")
    if each["kind"] in ("Deployment", "Service", "ServiceAccount"):
        name = _SERVICES.get(name, name)
        return name if name in COMPONENTS else "other"
    return _SERVICES.get(name, "")


def _fitted(each: Object, have: dict[str, str], nodes: int) -> Object:
    fitted = copy.deepcopy(each)
    if each["kind"] not in _CLUSTER_SCOPED:
        fitted["metadata"]["namespace"] = NAMESPACE
    if each["kind"] == "ClusterRoleBinding":
        fitted["subjects"] = [subject for subject in each["subjects"] if subject["name"] in have]
    if each["kind"] == "Deployment":
        _tune(fitted["spec"]["template"]["spec"]["containers"][0], each["metadata"]["name"], have, nodes)
    return fitted


def _tune(container: Object, name: str, have: dict[str, str], nodes: int) -> None:
    """Set image and arguments; probe readiness often, because a new cluster waits for it."""
    dropped = {"--enable-leader-election"} if nodes == 1 else set()
    if NOTIFICATION not in have:
        dropped |= {argument for argument in container["args"] if argument.startswith("--events-addr=")}
    container["args"] = [argument for argument in container["args"] if argument not in dropped] + _ARGUMENTS[name]
    container["image"] = have[name]
    container["readinessProbe"]["periodSeconds"] = 2
