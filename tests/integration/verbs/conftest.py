# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A fleet whose cluster `north` has services: a real API server, and stand-ins for its kubelet and pods."""

import contextlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster

import api_server
from artifact_store import newest
from repository import ROOT

# The verbs, and the stand-ins beside this file.
sys.path += [str(ROOT / "verbs"), str(Path(__file__).parent)]

with warnings.catch_warnings():
    # It makes the collection importable, which tests/conftest.py has done already.
    warnings.simplefilter("ignore")
    import hosts  # noqa: F401
from stand_in_pods import Kubelet, kubelet

MERGE = "application/merge-patch+json"


class Fleet:
    """An inventory `trial` with clusters north and south, of which only north is made."""

    def __init__(self, directory: Path, server: api_server.ApiServer, pods: Kubelet, port: int) -> None:
        self.directory, self.pods = directory, pods
        shutil.copytree(ROOT / "tests/fixtures/valid/local", directory / "trial")
        kubeconfigs = directory / "trial/.state/kubeconfigs"
        kubeconfigs.mkdir(parents=True)
        shutil.copy(server.kubeconfig, kubeconfigs / "north")
        tools = directory / "bin"
        tools.mkdir()
        (tools / "kubectl").symlink_to(newest("*/kubectl"))
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "HOME": str(directory),
            "ODP_DIRECTORY": str(directory),
            "ODP_INVENTORY": "trial",
            "PATH": f"{tools}:{ROOT / '.venv/bin'}:{os.environ['PATH']}",
            "TMPDIR": str(directory),
        }
        self.api = Cluster(str(server.kubeconfig))
        self.described: list[dict[str, Any]] = []
        self.made: list[str] = []
        addresses = [{"type": "Hostname", "address": "127.0.0.1"}]
        status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
        self.make("/api/v1/nodes", "node", status=status)
        self.make("/api/v1/namespaces", "flux-system")

    def make(self, path: str, name: str, status: dict[str, Any] | None = None, **content: Any) -> None:
        """Create an object, or patch the one that is there."""
        metadata = {"name": name, **content.pop("metadata", {})}
        try:
            self.api.request("POST", path, body={"metadata": metadata, **content})
            if path != "/api/v1/namespaces":
                self.made.append(f"{path}/{name}")
        except ApiError as error:
            if error.status != 409:
                raise
            body = {"metadata": metadata, **content}
            self.api.request("PATCH", f"{path}/{name}", body=body, content_type=MERGE)
        if status:
            self.api.request("PATCH", f"{path}/{name}/status", body={"status": status}, content_type=MERGE)

    def describe(self, name: str, **more: Any) -> None:
        """What the role `service` writes of a service, and its namespace."""
        self.make("/api/v1/namespaces", name)
        entry = {"name": name, "namespace": name, "service": name, "port": 80, "host": name, "user": "admin"}
        self.described.append({**entry, "secret": f"{name}-admin", "key": "password", **more})
        data = {"services.json": json.dumps(self.described)}
        self.make("/api/v1/namespaces/flux-system/configmaps", "platform-services", data=data)

    def serve(self, name: str, *pods: str, ready: bool = True) -> None:
        """A Service and its EndpointSlice with these pods."""
        ports = [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "other", "port": 81}]
        place = f"/api/v1/namespaces/{name}/services"
        self.make(place, name, spec={"selector": {"app": name}, "ports": ports})
        for pod in pods:
            self.pod(name, pod)
        self.make(
            f"/apis/discovery.k8s.io/v1/namespaces/{name}/endpointslices",
            f"{name}-x",
            metadata={"labels": {"kubernetes.io/service-name": name}},
            addressType="IPv4",
            ports=[{"name": "other", "port": 9}, {"name": "http", "port": 3000}],
            endpoints=[
                {"addresses": ["10.1.0.9"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}}
                for pod in pods
            ],
        )

    def pod(self, namespace: str, name: str, **status: Any) -> None:
        """A pod of the service that its namespace is named for."""
        spec = {"nodeName": "node", "containers": [{"name": "web", "image": "x"}], "terminationGracePeriodSeconds": 0}
        running = {"name": "web", "ready": True, "restartCount": 0, "image": "x", "imageID": "x"}
        running |= {"containerID": f"x://{name}", "state": {"running": {}}}
        status = {"phase": "Running", "containerStatuses": [running], **status}
        path = f"/api/v1/namespaces/{namespace}/pods"
        if self.api.get(f"{path}/{name}"):
            self.api.request("DELETE", f"{path}/{name}", {"gracePeriodSeconds": 0})
        self.make(path, name, status, metadata={"labels": {"app": namespace}}, spec=spec)

    def remove(self) -> None:
        """Delete the objects; the namespaces stay, empty."""
        for path in self.made:
            with contextlib.suppress(ApiError):
                self.api.request("DELETE", path, {"gracePeriodSeconds": 0})


@pytest.fixture(scope="module")
def fleet(server: api_server.ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One for the tests of one file."""
    directory = tmp_path_factory.mktemp("fleet")
    with kubelet(directory) as (pods, port):
        found = Fleet(directory, server, pods, port)
        yield found
        found.remove()
