# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Files, images and credentials of the nodes of a kubeadm cluster."""

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.cluster import files
from ansible_collections.opendata.platform.plugins.module_utils.cluster.kubeconfig import credentials
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as pure

BUILT = {"path": "kubelet-1/kubelet", "sha256": "1" * 64, "url": "", "member": ""}
OFFICIAL = {"path": "x-1/ctr", "sha256": "2" * 64, "url": "https://example.org/c.tgz", "member": "bin/ctr"}
IMAGES = ["registry.k8s.io/etcd:3.7.3-0", "quay.io/cilium/cilium:v1", "quay.io/cilium/clustermesh-apiserver:v1"]


def test_binaries_come_from_the_mirror_or_the_official_place() -> None:
    paths, binaries = {"/usr/bin/kubelet": "kubelet", "/bin/ctr": "ctr"}, {"kubelet": BUILT, "ctr": OFFICIAL}
    mirrored = files.binary_files(paths, binaries, "http://m:5080", "v1.36.3")
    assert [file["url"] for file in mirrored] == ["http://m:5080/x-1/ctr", "http://m:5080/kubelet-1/kubelet"]
    assert all("member" not in file and file["mode"] == "0755" for file in mirrored)
    official = files.binary_files({"/bin/ctr": "ctr"}, binaries, "", "v1.36.3")[0]
    assert official["url"] == "https://example.org/c.tgz" and official["member"] == "bin/ctr"


def test_containerd_asks_the_mirror_first() -> None:
    hosts = files.registry_hosts({"docker.io": "https://registry-1.docker.io"}, "http://m:5000")
    assert hosts == [
        {
            "path": "/etc/containerd/certs.d/docker.io/hosts.toml",
            "content": 'server = "https://registry-1.docker.io"\n\n[host."http://m:5000/v2/docker.io"]\n'
            '  capabilities = ["pull", "resolve"]\n  override_path = true\n',
        }
    ]
    assert files.registry_hosts({"docker.io": "https://registry-1.docker.io"}, "") == []


def test_images() -> None:
    assert pure.image_tag(IMAGES, "registry.k8s.io/etcd") == "3.7.3-0"
    assert pure.image_tag([*IMAGES, "registry.k8s.io/etcd:3.7.10-0"], "registry.k8s.io/etcd") == "3.7.10-0"
    with pytest.raises(ValueError, match=r"has no image registry\.k8s\.io/pause"):
        pure.image_tag(IMAGES, "registry.k8s.io/pause")
    assert pure.node_images(IMAGES, server=True) == IMAGES[1:]
    assert pure.node_images(IMAGES, server=False) == IMAGES[1:2]


def test_kubeconfig_is_named_for_the_cluster_and_uses_its_endpoint() -> None:
    admin = """
clusters: [{name: x, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: Q0E=}}]
users: [{name: kubernetes-admin, user: {client-key-data: S0VZ}}]
"""
    made = files.kubeconfig(admin, "north", "api.example.org:6443")
    assert made["clusters"][0]["cluster"]["server"] == "https://api.example.org:6443"
    assert made["contexts"] == [{"name": "north", "context": {"cluster": "north", "user": "north"}}]
    assert made["current-context"] == "north" and made["users"][0]["user"] == {"client-key-data": "S0VZ"}


ADMIN = """
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://10.0.0.1:6443
  name: x
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"""


def test_a_kubeconfig_is_kept_while_its_credentials_are_the_clusters() -> None:
    digest = credentials(ADMIN)
    made = yaml.safe_dump(files.kubeconfig(ADMIN, "north", "api.example.org:6443"))
    assert files.kept_kubeconfig(made, [digest]) == made
    assert files.kubeconfig(made, "north", "api.example.org:6443") == yaml.safe_load(made)
    assert files.kept_kubeconfig(made, [credentials(ADMIN.replace("S0VZ", "TkVX"))]) == ""
    assert files.kept_kubeconfig(made, ["", "another", digest]) == made
    assert files.kept_kubeconfig(made + "}", [digest]) == ""
    assert files.kept_kubeconfig("", [digest]) == ""
    assert files.kept_kubeconfig("", [credentials("")]) == ""


def test_credentials() -> None:
    command = "kubeadm join h:6443 --token a.b --discovery-token-ca-cert-hash sha256:12 \n"
    assert pure.join_credentials(command, "[upload-certs] Using certificate key:\n34\n") == {
        "token": "a.b",
        "ca_hash": "sha256:12",
        "certificate_key": "34",
    }
    assert pure.join_credentials("", "") == {"token": "", "ca_hash": "", "certificate_key": ""}


def test_key_of_a_running_server() -> None:
    config = "resources: [{providers: [{secretbox: {keys: [{name: key1, secret: QUJD}]}}, {identity: {}}]}]"
    assert pure.encryption_key(config) == "QUJD"
    assert pure.encryption_key("") == ""


def test_nodes_by_what_was_found() -> None:
    hostvars = {
        "a": {"__cluster_kubeadm_found": {"state": "done"}},
        "b": {"__cluster_kubeadm_found": {"state": "interrupted"}},
        "c": {},
    }
    assert pure.nodes_in(["a", "b", "c", "d"], hostvars, running=True) == ["a"]
    assert pure.nodes_in(["a", "b", "c", "d"], hostvars, running=False) == ["b"]
