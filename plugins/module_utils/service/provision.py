# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Jobs, or objects of an operator, that create the database and the buckets of a service. Pure."""

from __future__ import annotations

from typing import Any

from ..kubernetes.manifests import Manifest
from .schema import DATABASE, Release
from .secrets import database

Context = dict[str, Any]

# The scripts check what exists first, so that they can run again. This one needs PG*, NAME, PASSWORD.
POSTGRES = r"""psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv name NAME
\getenv password PASSWORD
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
ALTER DATABASE :"name" OWNER TO :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
"""

# Needs ADMIN_TOKEN, NAME, BUCKETS and the key. The admin API and not the CLI, which asks for the node's own id.
GARAGE = r"""api() {
  call=$1
  shift
  curl --silent --show-error --fail --header "Authorization: Bearer $ADMIN_TOKEN" "$ADMIN_URL/v2/$call" "$@"
}
if ! api "GetKeyInfo?id=$AWS_ACCESS_KEY_ID" >/dev/null 2>&1; then
  printf '{"name": "%s", "accessKeyId": "%s", "secretAccessKey": "%s"}' \
    "$NAME" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" | api ImportKey --data @- >/dev/null
fi
for bucket in $BUCKETS; do
  if ! api "GetBucketInfo?globalAlias=$bucket" >/dev/null 2>&1; then
    printf '{"globalAlias": "%s"}' "$bucket" | api CreateBucket --data @- >/dev/null
  fi
  id=$(api "GetBucketInfo?globalAlias=$bucket" | sed -n 's/^  "id": "\([0-9a-f]*\)",$/\1/p')
  printf '{"bucketId": "%s", "accessKeyId": "%s", "permissions": {"read": true, "write": true, "owner": true}}' \
    "$id" "$AWS_ACCESS_KEY_ID" | api AllowBucketKey --data @- >/dev/null
done
"""

# Needs ROOT_*, NAME, BUCKETS and the key.
MINIO = r"""export MC_CONFIG_DIR=/tmp/mc MC_HOST_store="http://$ROOT_USER:$ROOT_PASSWORD@$STORE"
resources=
for bucket in $BUCKETS; do
  mc mb --ignore-existing "store/$bucket"
  resources="$resources${resources:+, }\"arn:aws:s3:::$bucket\", \"arn:aws:s3:::$bucket/*\""
done
printf '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": [%s]}]}' \
  "$resources" >/tmp/policy.json
mc admin policy create store "$NAME" /tmp/policy.json
mc admin user add store "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"
if ! mc admin user info --json store "$AWS_ACCESS_KEY_ID" | grep -q "\"policyName\": *\"$NAME\""; then
  mc admin policy attach store "$NAME" --user "$AWS_ACCESS_KEY_ID"
fi
"""

# An unprivileged user that every image has.
_NOBODY = 65534
# For each object store: the script, its admin address, and Secret and key of each credential.
_STORES = {
    "garage": (GARAGE, ("ADMIN_URL", "http://garage.garage:3903"), {"ADMIN_TOKEN": ("garage-admin", "token")}),
    "minio": (
        MINIO,
        ("STORE", "minio.minio:9000"),
        {"ROOT_USER": ("minio-root", "username"), "ROOT_PASSWORD": ("minio-root", "password")},
    ),
}


def manifests(release: Release, context: Context) -> list[Manifest]:
    """The objects that create the database and the buckets of a service, in the namespaces of their providers."""
    found = []
    if release["database"]:
        operator = context["database"] == "cloudnative_pg"
        found += _database_of_operator(release) if operator else [_database_job(release, context)]
    if release["buckets"]:
        found.append(_bucket_job(release, context))
    return found


def _database_of_operator(release: Release) -> list[Manifest]:
    """Role and database in CloudNativePG's Cluster `postgres`; both outlive these objects."""
    secret, name = f"{release['name']}-database", database(release)["database"]
    metadata = {"name": secret, "namespace": DATABASE}
    cluster = {"cluster": {"name": "postgres"}, "name": name}
    role = {**cluster, "login": True, "passwordSecret": {"name": secret}, "databaseRoleReclaimPolicy": "retain"}
    database_spec = {**cluster, "owner": name, "databaseReclaimPolicy": "retain"}
    version = "postgresql.cnpg.io/v1"
    return [
        {"apiVersion": version, "kind": "DatabaseRole", "metadata": dict(metadata), "spec": role},
        {"apiVersion": version, "kind": "Database", "metadata": dict(metadata), "spec": database_spec},
    ]


def _database_job(release: Release, context: Context) -> Manifest:
    secret = f"{release['name']}-database"
    environment = [
        {"name": "PGHOST", "value": "postgres.postgres"},
        {"name": "PGUSER", "value": "postgres"},
        # The password must not reach the server's log, not even with a failing statement.
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
    """A Job that runs once and is kept; Flux recreates it when it changes or was deleted."""
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
    # The provider may be down for hours: the kubelet retries with back-off.
    spec = {"backoffLimit": 1000, "template": {"spec": pod}}
    annotations = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
