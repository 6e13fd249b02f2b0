# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read and write the certificates of one cluster of a mesh, restart its etcd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ...kubernetes.client import Cluster
from ...kubernetes.manifests import Manifest
from ..chart import CONFIG, DEPLOYMENT, LEAFS, MANAGER, USERS
from . import secrets as trust

_CRON_JOB = "clustermesh-apiserver-generate-certs"
_PATHS = {
    **{role: f"/api/v1/namespaces/{{}}/secrets/{name}" for role, name in LEAFS.items()},
    "authority": f"/api/v1/namespaces/{{}}/secrets/{trust.AUTHORITY}",
    "bundle": f"/api/v1/namespaces/{{}}/configmaps/{trust.BUNDLE}",
    "users": f"/api/v1/namespaces/{{}}/configmaps/{USERS}",
    "config": f"/api/v1/namespaces/{{}}/configmaps/{CONFIG}",
    "deployment": f"/apis/apps/v1/namespaces/{{}}/deployments/{DEPLOYMENT}",
    "cron_job": f"/apis/batch/v1/namespaces/{{}}/cronjobs/{_CRON_JOB}",
}
_OF_MODE = {"leafs": [*LEAFS, "cron_job"], "shared_ca": ["authority"], "bundle": ["bundle"]}


class NotRolledOut(Exception):
    """The restarted Deployment is not available in time; the text says how far it is."""


@dataclass
class Trust:
    """The certificates in one namespace. All methods raise ApiError and Unreachable."""

    cluster: Cluster
    namespace: str

    def read(self, mode: str) -> dict[str, Manifest | None]:
        """Return what the mode looks at, by its short name; None for what is not there."""
        names = [*_OF_MODE[mode], "users", "config", "deployment"]
        with ThreadPoolExecutor(len(names)) as pool:
            found = pool.map(lambda name: self.cluster.get(_PATHS[name].format(self.namespace)), names)
            return dict(zip(names, found, strict=True))

    def write(self, manifest: Manifest) -> None:
        """Apply one object; who else renders it was asked before, so what was altered by hand is set back."""
        kind = {"Secret": "secrets", "ConfigMap": "configmaps"}[manifest["kind"]]
        path = f"/api/v1/namespaces/{self.namespace}/{kind}/{manifest['metadata']['name']}"
        query = {"fieldManager": MANAGER, "force": "true"}
        self.cluster.request("PATCH", path, query, manifest, content_type="application/apply-patch+yaml")

    def restart(self, mark: str, seconds: int) -> None:
        """Restart the Deployment for the CAs of the mark and wait for its new pods. Raise NotRolledOut."""
        path = _PATHS["deployment"].format(self.namespace)
        body = {"spec": {"template": {"metadata": {"annotations": {trust.MARK: mark}}}}}
        # No apply: it would take away the hostAliases that cilium_clustermesh applies under the same name.
        kind = "application/merge-patch+json"
        self.cluster.request("PATCH", path, {"fieldManager": MANAGER}, body, content_type=kind)
        listing, _slash, name = path.rpartition("/")
        query = {"fieldSelector": f"metadata.name={name}"}
        well, found = self.cluster.wait(listing, trust.rolled_out, seconds, **query)
        if not well:
            status = (found[0].get("status") or {}) if found else {}
            raise NotRolledOut(
                f"Deployment {name} in {self.namespace} of {self.cluster.host} was restarted for new CAs and is not "
                f"rolled out after {seconds} s ({status.get('updatedReplicas', 0)} new pods, "
                f"{status.get('availableReplicas', 0)} available): see why its pods do not start, then run again"
            )
