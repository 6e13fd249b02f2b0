# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Checks of the pods of a manifest. Pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest, name_of
from .schema import Faults, fault

_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def findings(manifest: Manifest, pod_security: str) -> Faults:
    """The faults of the manifest's pods at this pod security level."""
    pod = _pod(manifest)
    if not pod:
        return
    found = []
    containers = [each for key in ("initContainers", "containers") for each in pod.get(key) or []]
    for container in containers:
        own = _image(str(container.get("image") or "")) + _resources(container.get("resources") or {})
        if pod_security == "restricted":
            own += _restricted(container, pod.get("securityContext") or {})
        found += [(f"container '{container.get('name')}' {problem}", step) for problem, step in own]
    if pod_security != "privileged":
        step = "Remove it, or set pod_security: privileged."
        found += [(problem, step) for problem in _host_access(pod, containers)]
    yield from (fault(name_of(manifest), problem, step) for problem, step in found)


def _pod(manifest: Manifest) -> dict[str, Any]:
    """The pod's spec, empty for what runs no pods."""
    spec: dict[str, Any] = manifest.get("spec") or {}
    if manifest["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    if manifest["kind"] in (*_TEMPLATES, "CronJob"):
        return (spec.get("template") or {}).get("spec") or {}
    return spec if manifest["kind"] == "Pod" else {}


def _image(image: str) -> list[tuple[str, str]]:
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    if "@sha256:" in image or tag not in ("", "latest"):
        return []
    step = "Set a digest or an exact tag, such as {{ service.images['name'] }}."
    return [(f"has an image that is not pinned: '{image}'", step)]


def _resources(resources: dict[str, Any]) -> list[tuple[str, str]]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found = []
    if "memory" not in limits:
        found.append(("has no memory limit", "Set resources.limits.memory: one leak could exhaust the node."))
    if missing := [each for each in ("cpu", "memory") if each not in requests]:
        step = "Set resources.requests, so that nodes are not overcommitted."
        found.append((f"requests no {' and no '.join(missing)}", step))
    return found


def _restricted(container: dict[str, Any], pod: dict[str, Any]) -> list[tuple[str, str]]:
    """What level restricted asks of a container: the API server would only refuse its pods after the rollout began."""
    own = container.get("securityContext") or {}
    both = {**pod, **own}
    capabilities = own.get("capabilities") or {}
    found = []
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        step = "Set securityContext.runAsNonRoot: true and a runAsUser, or pod_security: baseline where it needs root."
        found.append(("may run as root", step))
    if own.get("allowPrivilegeEscalation") is not False:
        found.append(("may escalate privileges", "Set securityContext.allowPrivilegeEscalation: false."))
    if "ALL" not in (capabilities.get("drop") or []) or set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        found.append(("does not drop all capabilities", "Set securityContext.capabilities: {drop: [ALL]}."))
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append(("has no seccomp profile", "Set securityContext.seccompProfile: {type: RuntimeDefault}."))
    return found


def _host_access(pod: dict[str, Any], containers: list[dict[str, Any]]) -> list[str]:
    """What reaches the node itself."""
    found = [f"its pods set {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes") or []:
        if "hostPath" in volume:
            found.append(f"volume '{volume.get('name')}' mounts host path {(volume['hostPath'] or {}).get('path')}")
    for container in containers:
        name = f"container '{container.get('name')}'"
        if (container.get("securityContext") or {}).get("privileged"):
            found.append(f"{name} is privileged")
        if any(port.get("hostPort") for port in container.get("ports") or []):
            found.append(f"{name} uses a host port")
    return found
