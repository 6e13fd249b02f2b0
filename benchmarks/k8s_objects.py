# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects as a platform has them: 200 in ten namespaces."""

from collections.abc import Iterator
from typing import Any

NAMESPACES = 10
RBAC = "rbac.authorization.k8s.io/v1"


def manifests(prefix: str, values: str = "first") -> list[dict[str, Any]]:
    """Return the objects, namespaces first; `values` is in one ConfigMap only."""
    spaces = [f"{prefix}-{number}" for number in range(NAMESPACES)]
    made = [_object("v1", "Namespace", space) for space in spaces]
    made += [each for space in spaces for each in _in_namespace(space)]
    changed = next(each for each in made if each["kind"] == "ConfigMap")
    changed["data"]["values.yaml"] += f"revision: {values}\n"
    return made


def _object(api: str, kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def _in_namespace(space: str) -> Iterator[dict[str, Any]]:
    """Yield 19 objects."""
    settings = "".join(f"setting_{number}: value-{number}\n" for number in range(40))
    for number in range(6):
        yield _object("v1", "ConfigMap", f"values-{number}", space, data={"values.yaml": settings, "mode": "fast"})
    for number in range(3):
        yield _object("v1", "Secret", f"key-{number}", space, stringData={"username": "u", "password": f"p-{number}"})
    for number in range(4):
        yield _object("apps/v1", "Deployment", f"server-{number}", space, spec=_deployment(f"server-{number}"))
    for number in range(3):
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        spec = {"clusterIP": "None", "selector": {"app": f"server-{number}"}, "ports": ports}
        yield _object("v1", "Service", f"server-{number}", space, spec=spec)
    yield _object("v1", "ServiceAccount", "server", space)
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    yield _object(RBAC, "Role", "server", space, rules=[rule])
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "server"}
    subject = {"kind": "ServiceAccount", "name": "server", "namespace": space}
    yield _object(RBAC, "RoleBinding", "server", space, roleRef=role, subjects=[subject])


def _deployment(name: str) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "example.org/server:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "values-0", "key": "mode"}}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {"serviceAccountName": "server", "securityContext": {"runAsNonRoot": True}, "containers": [container]}
    labels = {"app": name}
    return {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
