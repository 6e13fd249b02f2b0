# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Checks of the manifests of a service. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..findings import Finding, did_you_mean
from ..kubernetes import manifests as kubernetes_manifests
from ..kubernetes.manifests import Manifest, name_of
from . import pod_checks
from .schema import Faults, fault

LEVEL = "pod-security.kubernetes.io/enforce"
# Cluster-scoped kinds that services may have.
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
        found += [*_place(service, namespace, manifest), *_secret(manifest), *pod_checks.findings(manifest, level)]
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
