# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a cluster of kind looks like from this host. Needs a container engine."""

import os
from pathlib import Path

import kubernetes
import pytest
import testinfra.host

testinfra_hosts = ["local://"]
Host = testinfra.host.Host
KUBECONFIG = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory/.state/kubeconfigs/laptop"


@pytest.fixture(scope="module")
def api() -> kubernetes.client.ApiClient:
    """The cluster's API, by the kubeconfig that the fleet keeps."""
    return kubernetes.config.new_client_from_config(str(KUBECONFIG), context="laptop")


def test_kubeconfig_is_the_users_own(host: Host) -> None:
    assert host.file(str(KUBECONFIG)).mode == 0o600


def test_node_is_a_container_without_a_network_of_pods(api: kubernetes.client.ApiClient) -> None:
    [node] = kubernetes.client.CoreV1Api(api).list_node().items
    [ready] = [condition for condition in node.status.conditions if condition.type == "Ready"]
    assert (node.metadata.name, ready.status) == ("laptop-control-plane", "False")


def test_there_is_no_kube_proxy(api: kubernetes.client.ApiClient) -> None:
    sets = kubernetes.client.AppsV1Api(api).list_namespaced_daemon_set("kube-system").items
    assert [item.metadata.name for item in sets] == []
