# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is wrong with the pods of a manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kubernetes.manifests import Manifest

Told = Iterator[tuple[str, str]]  # problem, next step
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def findings(manifest: Manifest, pod_security: str) -> Told:
    """Problem and next step for each fault of the manifest's pods at this pod security level."""
    pod = _pod(manifest)
    if not pod:
        return
    containers = [each for key in ("initContainers", "containers") for each in pod.get(key) or []]
    for container in containers:
        name = f"container '{container.get('name')}'"
        yield from _image(name, str(container.get("image") or ""))
        yield from _resources(name, container.get("resources") or {})
        if pod_security == "restricted":
            yield from _restricted(name, container, pod.get("securityContext") or {})
    if pod_security != "privileged":
        yield from _host(pod, containers)


def _pod(manifest: Manifest) -> dict[str, Any]:
    """The pod's spec, empty for what runs no pods."""
    spec = manifest.get("spec") or {}
    if manifest["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    if manifest["kind"] in (*_TEMPLATES, "CronJob"):
        return (spec.get("template") or {}).get("spec") or {}
    return spec if manifest["kind"] == "Pod" else {}


def _image(name: str, image: str) -> Told:
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    if "@sha256:" not in image and tag in ("", "latest"):
        step = "Give a digest or an exact tag, such as {{ service.images['name'] }}."
        yield f"{name} has an image without one version: '{image}'", step


def _resources(name: str, resources: dict[str, Any]) -> Told:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    if "memory" not in limits:
        yield f"{name} has no memory limit", "Set resources.limits.memory, or one leak takes the whole node."
    missing = [each for each in ("cpu", "memory") if each not in requests]
    if missing:
        yield (
            f"{name} requests no {' and no '.join(missing)}",
            "Set resources.requests, so that nodes are not overfull.",
        )


def _restricted(name: str, container: dict[str, Any], pod: dict[str, Any]) -> Told:
    """What level restricted asks of a container; the API server would refuse its pods later and without a word."""
    own = container.get("securityContext") or {}
    both = {**pod, **own}
    capabilities = own.get("capabilities") or {}
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        step = "Set securityContext.runAsNonRoot: true and a runAsUser, or pod_security: baseline where it cannot be."
        yield f"{name} may run as root", step
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name} may gain privileges", "Set securityContext.allowPrivilegeEscalation: false."
    if "ALL" not in (capabilities.get("drop") or []) or set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"{name} keeps capabilities", "Set securityContext.capabilities: {drop: [ALL]}."
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{name} has no seccomp profile", "Set securityContext.seccompProfile: {type: RuntimeDefault}."


def _host(pod: dict[str, Any], containers: list[dict[str, Any]]) -> Told:
    """What reaches the node itself."""
    step = "Do without, or set pod_security: privileged."
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"its pods have {key}", step
    for volume in pod.get("volumes") or []:
        if "hostPath" in volume:
            yield f"volume '{volume.get('name')}' is the host's path {(volume['hostPath'] or {}).get('path')}", step
    for container in containers:
        if (container.get("securityContext") or {}).get("privileged"):
            yield f"container '{container.get('name')}' is privileged", step
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield f"container '{container.get('name')}' has a port of the host", step
