# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The objects that test a mesh: in each cluster a server behind a global Service, and a client. Pure."""

from __future__ import annotations

from typing import Any

from ..chart import MANAGER

NAMESPACE = "opendata-mesh-test"
CLIENT, SERVER = "client", "server"
OWNER = {"app.kubernetes.io/managed-by": MANAGER}
_PORT = 8080
_USER = 65532


def manifests(cluster: str, image: str, affinity: str, replicas: int) -> list[dict[str, Any]]:
    """Return what stands in the cluster of this name: its server says that name.

    affinity: none, local or remote; which backends the Service of this cluster prefers, for clients in it.
    """
    metadata = {"namespace": NAMESPACE, "labels": OWNER}
    labels = {**OWNER, "app": SERVER}
    server = _container(SERVER, image, ["serve", f":{_PORT}", cluster])
    server |= {
        "ports": [{"containerPort": _PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": _PORT}, "periodSeconds": 1},
    }
    deployment = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": SERVER}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(server)},
    }
    service = {"selector": {"app": SERVER}, "ports": [{"port": 80, "targetPort": _PORT}]}
    annotations = {"service.cilium.io/global": "true", "service.cilium.io/affinity": affinity}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {**OWNER, "pod-security.kubernetes.io/enforce": "restricted"},
                # Cilium may be told that namespaces are not global by themselves.
                "annotations": {"clustermesh.cilium.io/global": "true"},
            },
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**metadata, "name": SERVER}, "spec": deployment},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**metadata, "name": SERVER, "annotations": annotations},
            "spec": service,
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**metadata, "name": CLIENT, "labels": {**OWNER, "app": CLIENT}},
            "spec": _pod(_container(CLIENT, image, ["sleep"])),
        },
    ]


def _container(name: str, image: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "args": arguments,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod(container: dict[str, Any]) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": security,
        "containers": [container],
    }
