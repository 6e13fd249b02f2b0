# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Every file that role cluster_kubeadm writes, for a container on cgroups v1 and for a virtual machine on v2."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import render

IMAGES = {
    "registry.k8s.io/coredns/coredns:v1.14.2": {},
    "registry.k8s.io/etcd:3.7.3-0": {},
    "registry.k8s.io/kube-apiserver:v1.36.3": {},
    "registry.k8s.io/pause:3.10.2": {},
    "quay.io/cilium/cilium:v1.20.2": {},
    "quay.io/cilium/clustermesh-apiserver:v1.20.2": {},
    "ghcr.io/opendata/testserver:0.1.0": {},
}
CONTAINER = {"cgroup_driver": "cgroupfs", "cgroup_version": 1, "container": "systemd-nspawn", "sys_resource": False}
MACHINE = {"cgroup_driver": "systemd", "cgroup_version": 2, "container": "", "sys_resource": True}
CASES = {
    "local-north-1": ("local", "north-1", CONTAINER),
    "three-north-1": ("three", "north-1", MACHINE),
    "three-north-4": ("three", "north-4", MACHINE),
}
SERVER = {
    "audit-policy.yaml": "audit-policy.yaml.j2",
    "encryption.yaml": "encryption.yaml.j2",
    "kubeadm.yaml": "kubeadm.yaml.j2",
}
EVERY = {
    "containerd.service": "containerd.service.j2",
    "containerd.toml": "containerd.toml.j2",
    "images.service": "images.service.j2",
    "join.yaml": "join.yaml.j2",
    "kubelet.service": "kubelet.service.j2",
    "kubelet.yaml": "kubelet.yaml.j2",
}


def variables(fleet: str, node: str, facts: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """What the templates read on this node, with credentials of a join and a key that are no secrets."""
    record = render.fleet(fleet) | {"state": str(tmp_path)}
    cluster = record["nodes"][node]["cluster"]
    key = tmp_path / "clusters" / cluster / "encryption.key"
    key.parent.mkdir(parents=True)
    key.write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    join = "kubeadm join h:1 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:0123"
    joined = {
        "__cluster_kubeadm_found": {"state": "absent"},
        "__cluster_kubeadm_token": {"stdout": join},
        "__cluster_kubeadm_key_upload": {"stdout": "Using certificate key:\n4567\n"},
    }
    return {
        "fleet": record,
        "inventory_hostname": node,
        "node_facts": facts,
        "artifacts": {"images": IMAGES},
        "mirror": {"registry": "http://10.77.0.1:5000", "files": ""},
        "hostvars": dict.fromkeys(record["nodes"], joined),
    }


@pytest.mark.parametrize("case", CASES)
def test_files(case: str, tmp_path: Path) -> None:
    given = variables(*CASES[case], tmp_path)
    server = given["fleet"]["nodes"][given["inventory_hostname"]]["role"] == "control_plane"
    for name, template in {**EVERY, **(SERVER if server else {})}.items():
        text = render.render("cluster_kubeadm", template, **given)
        if name.endswith(".yaml"):
            documents = [*yaml.safe_load_all(text)]
            assert documents and all(documents), name
        render.assert_golden(f"cluster_kubeadm/{case}/{name}", text)
