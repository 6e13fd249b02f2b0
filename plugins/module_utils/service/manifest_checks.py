# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Checks of the manifests of a service, and of their pods. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..findings import Finding, did_you_mean
from ..kubernetes import manifests as kubernetes_manifests
from ..kubernetes.manifests import Manifest, name_of
from .schema import Faults, fault

LEVEL = "pod-security.kubernetes.io/enforce"
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
# Cluster-scoped kinds that services may have.
CLUSTER_KINDS = (
    *("APIService", "CSIDriver", "CiliumClusterwideNetworkPolicy", "CiliumLoadBalancerIPPool", "ClusterIssuer"),
    *("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "GatewayClass", "IngressClass"),
    *("MutatingWebhookConfiguration", "Namespace", "PersistentVolume", "PriorityClass", "RuntimeClass"),
    *("StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    *("ValidatingWebhookConfiguration", "VolumeSnapshotClass"),
)
# What role service adds to the namespaces of database and object store: endings of the name by kind.
ELSEWHERE = {"Job": ("-database", "-bucket"), "Database": ("-database",), "DatabaseRole": ("-database",)}


def tree(files: dict[str, str]) -> list[Finding]:
    """Findings of a rendered tree, each service by the Namespace in its own file."""
    found = []
    for path, text in files.items():
        parts = path.split("/")
        if parts[0] != "services":
            continue
        manifests = kubernetes_manifests.load(text)
        found += shape(parts[1], manifests, path)
        namespace = next((each["metadata"] for each in manifests if each.get("kind") == "Namespace"), None)
        if namespace:
            found += objects(parts[1], namespace["name"], namespace["labels"][LEVEL], manifests, path)
        else:
            step = "Render the tree with role service."
            found.append(Finding("error", parts[1], "", "has no Namespace", step, path))
    return sorted(found)


def rendered(service: str, text: str, where: str) -> tuple[list[Manifest], list[Finding]]:
    """The objects that a template rendered, and the findings of what is not a list of objects."""
    try:
        manifests = kubernetes_manifests.load(text)
    except ValueError as error:
        problem = f"does not render valid YAML: {' '.join(str(error).split())}"
        return [], [Finding("error", service, "", problem, "Fix the template.", where)]
    if not manifests:
        return [], [Finding("error", service, "", "renders no objects", "Fix the template.", where)]
    return manifests, shape(service, manifests, where)


def shape(service: str, manifests: list[Any], where: str) -> list[Finding]:
    """Findings of incomplete and repeated objects."""
    step = "An object has apiVersion, kind and metadata.name, and is listed once."
    return [Finding("error", service, "", found, step, where) for found in kubernetes_manifests.findings(manifests)]


def objects(service: str, namespace: str, level: str, manifests: list[Manifest], where: str) -> list[Finding]:
    """Findings of well-formed objects of a service with this namespace and pod security level."""
    found: list[Finding] = []
    for manifest in manifests:
        found += [*_place(service, namespace, manifest), *_secret(manifest), *_pods(manifest, level)]
    return [replace(each, subject=service, where=where) for each in found]


def route(release: dict[str, Any], manifests: list[Manifest]) -> Faults:
    """A route whose Service and port are not among the manifests."""
    services = [each for each in manifests if each["kind"] == "Service"]
    ports = {
        f"{each['metadata']['name']}:{port.get('port')}"
        for each in services
        for port in (each.get("spec") or {}).get("ports") or []
    }
    wanted = f"{release['route']['service']}:{release['route']['port']}"
    if wanted not in ports:
        yield fault("route", f"no Service in its manifests has port {wanted}", did_you_mean(wanted, ports))


def _place(service: str, namespace: str, manifest: Manifest) -> Faults:
    kind, metadata = manifest["kind"], manifest["metadata"]
    if metadata.get("namespace", namespace) == namespace:
        return
    if metadata["name"] not in [service + end for end in ELSEWHERE.get(kind, ())]:
        step = f"Remove metadata.namespace: a service has objects in its own namespace {namespace} only."
        yield fault(name_of(manifest), f"is in namespace {metadata['namespace']}", step)


def _secret(manifest: Manifest) -> Faults:
    if manifest["kind"] == "Secret" and (manifest.get("data") or manifest.get("stringData")):
        step = "Describe it under service_release.secrets: those values never enter the tree."
        yield fault(name_of(manifest), "holds its data in plain text", step)


def _pods(manifest: Manifest, pod_security: str) -> Faults:
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
