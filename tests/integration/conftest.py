# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What these tests share. It runs after the artifacts were built: what the store lacks is a failure."""

from collections.abc import Iterator

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import api_server
import contracts

LIST = "/api/v1/namespaces"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_server.ApiServer]:
    """The one API server of this worker: a test removes what would disturb another."""
    with api_server.api_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def flux_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_server.ApiServer]:
    """An API server with Flux's CRDs for the tests of one file: others need one without them."""
    with api_server.api_server(tmp_path_factory.mktemp("api")) as running:
        contracts.serve(str(running.kubeconfig), contracts.flux())
        yield running


@pytest.fixture(scope="module")
def namespaces(server: api_server.ApiServer) -> Iterator[None]:
    """Remove the namespaces that the tests of one file created: their pod security levels would refuse others' pods."""
    api = Cluster(str(server.kubeconfig))

    def paths() -> set[str]:
        return {f"{LIST}/{each['metadata']['name']}" for each in api.request("GET", LIST)["items"]}

    before = paths()
    yield
    for path in paths() - before:
        space = api.request("DELETE", path)
        # What kube-controller-manager would do.
        space["spec"]["finalizers"] = []
        api.request("PUT", f"{path}/finalize", body=space)


@pytest.fixture(scope="module")
def daemon_sets(server: api_server.ApiServer) -> Iterator[None]:
    """Remove the DaemonSets that the tests of one file created: others would find a Cilium in the cluster."""
    yield
    api = Cluster(str(server.kubeconfig))
    for each in api.request("GET", "/apis/apps/v1/daemonsets")["items"]:
        metadata = each["metadata"]
        api.request("DELETE", f"/apis/apps/v1/namespaces/{metadata['namespace']}/daemonsets/{metadata['name']}")
