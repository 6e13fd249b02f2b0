# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a server of a kubeadm cluster looks like from inside, before there is a network of pods."""

import json

import pytest
import testinfra.host

testinfra_hosts = ["ansible://nodes"]
Host = testinfra.host.Host
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def kubectl(host: Host, *arguments: str) -> str:
    """Output of kubectl as the cluster's administrator."""
    return host.check_output(" ".join(["kubectl --kubeconfig=/etc/kubernetes/admin.conf", *arguments]))


@pytest.mark.parametrize("program", ["/usr/bin/kubeadm", "/usr/bin/kubelet", "/usr/local/bin/containerd"])
def test_programs_are_roots_and_executable(host: Host, program: str) -> None:
    file = host.file(program)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o755)


@pytest.mark.parametrize("path", ["/etc/kubernetes/admin.conf", "/etc/kubernetes/apiserver/encryption.yaml"])
def test_secrets_are_for_root_only(host: Host, path: str) -> None:
    assert (host.file(path).user, host.file(path).mode) == ("root", 0o600)


@pytest.mark.parametrize("unit", ["containerd", "kubelet"])
def test_units_run_and_start_with_the_machine(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


@pytest.mark.parametrize("port", ["0.0.0.0:6443", "10.79.1.11:2379", "127.0.0.1:10250"])
def test_something_listens(host: Host, port: str) -> None:
    assert host.socket(f"tcp://{port}").is_listening


def test_control_plane_is_of_static_pods(host: Host) -> None:
    assert sorted(host.file("/etc/kubernetes/manifests").listdir()) == [f"{name}.yaml" for name in CONTROL_PLANE]
    pods = json.loads(kubectl(host, "-n kube-system get pods -o json"))["items"]
    running = {pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"}
    assert {f"{name}-alone-1" for name in CONTROL_PLANE} <= running


def test_api_is_ready(host: Host) -> None:
    assert kubectl(host, "get --raw /readyz") == "ok"


def test_there_is_no_kube_proxy(host: Host) -> None:
    assert kubectl(host, "-n kube-system get daemonsets -o name") == ""
    assert host.process.filter(comm="kube-proxy") == []


def test_there_is_no_network_of_pods_yet(host: Host) -> None:
    assert not host.file("/etc/cni/net.d").exists or host.file("/etc/cni/net.d").listdir() == []
    [node] = json.loads(kubectl(host, "get nodes -o json"))["items"]
    [ready] = [condition for condition in node["status"]["conditions"] if condition["type"] == "Ready"]
    assert (ready["status"], "cni plugin not initialized" in ready["message"]) == ("False", True)
