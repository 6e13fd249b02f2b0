# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects of cluster `a` in a mesh with `b`: ConfigMap and Deployment of a real Cilium 1.20.2, the others made here."""

import base64
import datetime
import functools
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FIXTURES = Path(__file__).parent / "unit/plugins/module_utils/mesh/fixtures"
NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
NAMES = ["*.mesh.cilium.io", "clustermesh-apiserver.kube-system.svc"]
ENTRY = """endpoints:
- https://b.mesh.cilium.io:32380
trusted-ca-file: /var/lib/cilium/clustermesh/common-etcd-client-ca.crt
key-file: /var/lib/cilium/clustermesh/common-etcd-client.key
cert-file: /var/lib/cilium/clustermesh/common-etcd-client.crt
cilium-host-aliases:
- hostname: b.mesh.cilium.io
  ips:
    - 10.77.0.12"""
LOCAL = """endpoints:
- https://clustermesh-apiserver.kube-system.svc:2379
trusted-ca-file: /var/lib/cilium/clustermesh/local-etcd-client-ca.crt
key-file: /var/lib/cilium/clustermesh/local-etcd-client.key
cert-file: /var/lib/cilium/clustermesh/local-etcd-client.crt"""


def fixture(name: str, **data: str) -> dict[str, Any]:
    """A fixture's object without what a server adds; data is put over its own, None removes."""
    item = yaml.safe_load((FIXTURES / name).read_text())
    for key in ("creationTimestamp", "generation", "resourceVersion", "uid"):
        item["metadata"].pop(key, None)
    if data:
        item["data"] = {key: value for key, value in {**item["data"], **data}.items() if value is not None}
    return item


def config(**data: Any) -> dict[str, Any]:
    """ConfigMap cilium-config; write `cluster_id` for `cluster-id`."""
    return fixture("a-cilium-config.yaml", **{key.replace("_", "-"): value for key, value in data.items()})


def deployment() -> dict[str, Any]:
    """Deployment clustermesh-apiserver."""
    return fixture("a-clustermesh-apiserver.json")


def daemon_set(image: str = "quay.io/cilium/cilium:v1.20.2") -> dict[str, Any]:
    """DaemonSet cilium, the parts that are read."""
    labels = {"k8s-app": "cilium"}
    pod = {"containers": [{"name": "cilium-agent", "image": image}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "cilium",
            "namespace": "kube-system",
            "labels": {**labels, "helm.sh/chart": "cilium-1.20.2"},
        },
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def node(name: str = "a", address: str = "10.77.0.11", cidr: str = "10.1.0.0/24") -> dict[str, Any]:
    """A Ready node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"podCIDRs": [cidr], "podCIDR": cidr},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def service(kind: str = "NodePort", port: int = 32380) -> dict[str, Any]:
    """Service clustermesh-apiserver."""
    ports = [{"name": "apiserver", "port": 2379, "targetPort": 2379, "protocol": "TCP"}]
    if kind == "NodePort":
        ports[0]["nodePort"] = port
    metadata = {"name": "clustermesh-apiserver", "namespace": "kube-system"}
    selector = {"k8s-app": "clustermesh-apiserver"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata} | {
        "spec": {"type": kind, "ports": ports, "selector": selector}
    }


@functools.cache
def authority(number: int) -> tuple[x509.Certificate, Any]:
    """A CA and its key; all are called "Cilium CA"."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cilium CA")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(number).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=3650))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return made.add_extension(constraints, critical=True).sign(key, hashes.SHA256()), key


def pem(*certificates: x509.Certificate) -> str:
    """Certificates as text."""
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def tls_secret(leaf: str, cn: str, names: list[str] | None = None, days: int = 365, signer: int = 1) -> dict[str, Any]:
    """The Secret of a leaf that CA number `signer` signed; ca.crt holds that CA. Its key is no key."""
    ca, key = authority(signer)
    made = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, cn)]))
    made = made.issuer_name(ca.subject).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=days))
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    data = {"ca.crt": pem(ca), "tls.crt": pem(made.sign(key, hashes.SHA256())), "tls.key": "PRIVATE"}
    return secret(f"clustermesh-apiserver-{leaf}-cert", data, "kubernetes.io/tls")


def secret(name: str, data: dict[str, str], kind: str = "Opaque") -> dict[str, Any]:
    """A Secret with texts."""
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": coded}


def secrets() -> list[dict[str, Any]]:
    """All Secrets of the mesh."""
    return [
        tls_secret("server", "clustermesh-apiserver.kube-system.svc", NAMES),
        tls_secret("admin", "admin-a"),
        tls_secret("remote", "remote"),
        tls_secret("local", "local-a"),
        secret("cilium-clustermesh", {"b": LOCAL}),
        secret("cilium-kvstoremesh", {"b": ENTRY}),
    ]
