# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What makes a service's database and buckets where those are: Jobs, or an operator's objects. Private, pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest
from .provision_scripts import GARAGE, MINIO, POSTGRES
from .schema import DATABASE, Release
from .secrets import database

Context = dict[str, Any]

# An unprivileged user that every image has.
_NOBODY = 65534
# Of each object store the script, where it is administered, and the Secret and key of each of its credentials.
_STORES = {
    "garage": (GARAGE, ("ADMIN_URL", "http://garage.garage:3903"), {"ADMIN_TOKEN": ("garage-admin", "token")}),
    "minio": (
        MINIO,
        ("STORE", "minio.minio:9000"),
        {"ROOT_USER": ("minio-root", "username"), "ROOT_PASSWORD": ("minio-root", "password")},
    ),
}


def manifests(release: Release, context: Context) -> list[Manifest]:
    """The objects that make the database and the buckets of a service, in the namespaces of those."""
    found = []
    if release["database"]:
        operator = context["database"] == "cloudnative_pg"
        found += _operated(release) if operator else [_database_job(release, context)]
    if release["buckets"]:
        found.append(_bucket_job(release, context))
    return found


def _operated(release: Release) -> list[Manifest]:
    """Role and database as CloudNativePG keeps them in its cluster `postgres`; both outlive their objects."""
    secret, name = f"{release['name']}-database", database(release)["database"]
    metadata = {"name": secret, "namespace": DATABASE}
    cluster = {"cluster": {"name": "postgres"}, "name": name}
    role = {**cluster, "login": True, "passwordSecret": {"name": secret}, "databaseRoleReclaimPolicy": "retain"}
    made = {**cluster, "owner": name, "databaseReclaimPolicy": "retain"}
    version = "postgresql.cnpg.io/v1"
    return [
        {"apiVersion": version, "kind": "DatabaseRole", "metadata": dict(metadata), "spec": role},
        {"apiVersion": version, "kind": "Database", "metadata": dict(metadata), "spec": made},
    ]


def _database_job(release: Release, context: Context) -> Manifest:
    secret = f"{release['name']}-database"
    environment = [
        {"name": "PGHOST", "value": "postgres.postgres"},
        {"name": "PGUSER", "value": "postgres"},
        # A password must not reach the server's log, not even with a statement that fails.
        {"name": "PGOPTIONS", "value": "-c log_statement=none -c log_min_error_statement=panic"},
        _from_secret("PGPASSWORD", "postgres-superuser", "password"),
        _from_secret("NAME", secret, "username"),
        _from_secret("PASSWORD", secret, "password"),
    ]
    return _job(secret, DATABASE, context["images"]["postgres"], POSTGRES, environment)


def _bucket_job(release: Release, context: Context) -> Manifest:
    store = context["object_store"]
    script, (variable, address), credentials = _STORES[store]
    secret = f"{release['name']}-bucket"
    environment = [
        {"name": "NAME", "value": release["name"]},
        {"name": "BUCKETS", "value": " ".join(release["buckets"])},
        {"name": variable, "value": address},
        *(_from_secret(credential, *place) for credential, place in credentials.items()),
        *(_from_secret(key, secret, key) for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
    ]
    return _job(secret, store, context["images"][store], script, environment)


def _from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _job(name: str, namespace: str, image: str, script: str, environment: list[dict[str, Any]]) -> Manifest:
    """A Job that runs once, is kept as proof, and is made anew when it changes; Flux makes it again when deleted."""
    container = {
        "name": "provision",
        "image": image,
        "command": ["sh", "-eu", "-c", script],
        "env": environment,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": _NOBODY, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    # What provides may be away for hours: the Job goes on trying, the kubelet longer and longer apart.
    spec = {"backoffLimit": 1000, "template": {"spec": pod}}
    annotations = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
