# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is wrong with the manifests of a service; reads nothing but them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..findings import Finding, did_you_mean
from ..kubernetes import manifests as kubernetes_manifests
from ..kubernetes.manifests import Manifest, name_of
from . import pod_checks

LEVEL = "pod-security.kubernetes.io/enforce"
# Kinds without a namespace that services bring.
CLUSTER_KINDS = (
    "APIService",
    "CSIDriver",
    "CiliumClusterwideNetworkPolicy",
    "CiliumLoadBalancerIPPool",
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeSnapshotClass",
)
# What the shared role makes where databases and buckets are: kind by the end of the name.
ELSEWHERE = {"Job": ("-database", "-bucket"), "Database": ("-database",), "DatabaseRole": ("-database",)}


def tree(files: dict[str, str]) -> list[Finding]:
    """Findings of a whole rendered tree: what each service's own file holds."""
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
            found.append(Finding("error", parts[1], "", "has no Namespace", "Let role service make the tree.", path))
    return sorted(found)


def rendered(service: str, text: str, where: str) -> tuple[list[Manifest], list[Finding]]:
    """The objects that a template rendered, and what keeps them from being objects."""
    try:
        manifests = kubernetes_manifests.load(text)
    except ValueError as error:
        problem = f"renders no YAML: {' '.join(str(error).split())}"
        return [], [Finding("error", service, "", problem, "Mend the template.", where)]
    if not manifests:
        return [], [Finding("error", service, "", "renders no object", "Mend the template.", where)]
    return manifests, shape(service, manifests, where)


def shape(service: str, manifests: list[Any], where: str) -> list[Finding]:
    """Findings of what is no object, and of objects that stand there twice."""
    step = "An object has apiVersion, kind and metadata.name, and stands there once."
    return [Finding("error", service, "", found, step, where) for found in kubernetes_manifests.findings(manifests)]


def objects(service: str, namespace: str, level: str, manifests: list[Manifest], where: str) -> list[Finding]:
    """Findings of well-formed objects of a service with this namespace and pod security level."""
    found = []
    for manifest in manifests:
        told = [*_place(service, namespace, manifest), *_secret(manifest), *pod_checks.findings(manifest, level)]
        found += [Finding("error", service, name_of(manifest), problem, step, where) for problem, step in told]
    return found


def route(release: dict[str, Any], manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Whether the Service and port that a route leads to are among the manifests."""
    services = [each for each in manifests if each["kind"] == "Service"]
    ports = {
        f"{each['metadata']['name']}:{port.get('port')}"
        for each in services
        for port in (each.get("spec") or {}).get("ports") or []
    }
    wanted = f"{release['route']['service']}:{release['route']['port']}"
    if wanted not in ports:
        yield f"no Service of its manifests has the port {wanted}", did_you_mean(wanted, ports)


def _place(service: str, namespace: str, manifest: Manifest) -> Iterator[tuple[str, str]]:
    kind, metadata = manifest["kind"], manifest["metadata"]
    if metadata.get("namespace", namespace) == namespace:
        return
    if metadata["name"] not in [service + end for end in ELSEWHERE.get(kind, ())]:
        step = f"A service has objects in its own namespace {namespace} only: leave metadata.namespace out."
        yield f"lies in namespace {metadata['namespace']}", step


def _secret(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest["kind"] == "Secret" and (manifest.get("data") or manifest.get("stringData")):
        step = "Describe it under service_release.secrets: those values never lie in the tree."
        yield "holds its data in clear", step
