# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Descriptions of services and contexts of clusters for tests of role service."""

import copy
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.service.tree import render

IMAGES = {
    name: f"example.org/{name}:1.2.3@sha256:{number:064x}"
    for number, name in enumerate(("notebook", "postgres", "garage", "minio"), start=1)
}
CONTEXT = {
    "cluster": "north",
    "domain": "localhost",
    "gateway": False,
    "issuer": "",
    "cilium": True,
    "mesh": True,
    "monitoring": False,
    "object_store": "garage",
    "database": "postgres",
    "services": [],
    "declared": [],
    "source": {"kind": "OCIRepository", "prefix": "."},
    "images": IMAGES,
    "waiting": {"gateway": "image of Envoy not available"},
}
NOTEBOOK = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: work
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: notebook
spec:
  selector: {matchLabels: {app: notebook}}
  template:
    metadata: {labels: {app: notebook}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: notebook
          image: example.org/notebook:1.2.3
          command:
            - sh
            - -c
            - |
              echo several
              echo lines
          envFrom: [{secretRef: {name: notebook-bucket}}]
          ports: [{name: http, containerPort: 8080}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata:
  name: notebook
spec:
  selector: {app: notebook}
  ports: [{port: 80, targetPort: http}]
"""


def entry(role: str, rendered: str = "", **release: Any) -> dict[str, Any]:
    """One entry of the fact platform_releases."""
    return {"role": role, "release": release, "rendered": rendered}


def notebook(rendered: str = NOTEBOOK, **changes: Any) -> dict[str, Any]:
    """A service of our own manifests with nothing but a route; a change to None takes the key away."""
    release = {"name": "notebook", "manifests": "notebook.yml.j2", "route": {"port": 80, "sso": "native"}, **changes}
    return entry("notebook", rendered, **{key: value for key, value in release.items() if value is not None})


def with_every_feature() -> dict[str, Any]:
    """The same with all that a description may ask for."""
    return notebook(
        values={"replicas": 1, "limits": {"memory": "1Gi", "cpu": 1}},
        overrides={"limits": {"memory": "2Gi"}},
        database=True,
        bucket=["notebook-data", "notebook-models"],
        secrets={"admin": {"username": "admin", "password": {"length": 24}}},
        requires=["spark-operator"],
        clients=["dagster", "airflow"],
        backup=True,
        monitoring={"port": "http"},
        timeout=600,
    )


def provider(name: str, **changes: Any) -> dict[str, Any]:
    """A service that others require, as small as can be."""
    rendered = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}\n"
    return entry(name.replace("-", "_"), rendered, name=name, manifests=f"{name}.yml.j2", **changes)


def charts() -> list[dict[str, Any]]:
    """One service of a chart in an OCI registry, one of a chart of a Helm repository."""
    oci = {"repo": "oci://ghcr.io/cloudnative-pg/charts", "name": "cloudnative-pg", "version": "0.29.0"}
    https = {"repo": "https://kubeflow.github.io/spark-operator", "name": "spark-operator", "version": "2.5.2"}
    values = {"spark": {"jobNamespaces": ["notebook"]}, "webhook": {"enable": True}}
    return [
        entry("cloudnative_pg", name="cloudnative-pg", chart=oci, values={}),
        entry("spark_operator", name="spark-operator", chart=https, values=values, overrides={"replicas": 2}),
    ]


# Clusters and their services, as they are compared with golden files.
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "local": (
        [with_every_feature(), *charts(), provider("postgres", clients="all"), provider("garage", clients="fleet")],
        CONTEXT,
    ),
    "cloud": (
        [
            with_every_feature(),
            *charts(),
            provider("postgres"),
            provider("minio", clients="fleet", pod_security="baseline"),
        ],
        {
            **CONTEXT,
            "domain": "data.example.org",
            "gateway": True,
            "issuer": "letsencrypt",
            "mesh": False,
            "monitoring": True,
            "object_store": "minio",
            "database": "cloudnative_pg",
        },
    ),
}


def case(name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A copy of one case that a test may change."""
    return copy.deepcopy(CASES[name])


def findings(releases: list[dict[str, Any]], context: dict[str, Any]) -> list[str]:
    """The findings of these services as text."""
    return [str(each) for each in render(releases, context)["findings"]]


def manifests(releases: list[dict[str, Any]], context: dict[str, Any]) -> dict[str, Any]:
    """The tree of valid services."""
    made = {**render(releases, context)}
    assert made.pop("findings") == []
    return made
