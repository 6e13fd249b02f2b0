# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""State of kubeadm on a machine and what it takes to continue; images, keys and join credentials of nodes. Pure."""

from __future__ import annotations

import base64
import contextlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

MANIFESTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PORTS = (6443, 10250, 10257, 10259, 2379, 2380)
DONE, INTERRUPTED, ABSENT = "done", "interrupted", "absent"


@dataclass(frozen=True)
class Found:
    """What was found on the machine.

    record: written after the last success ("files": digest by path, "manifests": text by name, "version" of kubeadm);
        None if there is none.
    traces: existing paths that kubeadm creates.
    etcd: whether there are etcd data.
    identity: whether the kubelet has a certificate from the cluster.
    files: digest by path of the files that the control plane is generated from or reads at its start.
    manifests: content by name of the static pod.
    """

    record: dict[str, Any] | None = None
    traces: tuple[str, ...] = ()
    etcd: bool = False
    identity: bool = False
    files: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, str] = field(default_factory=dict)


def state(found: Found) -> str:
    """done: kubeadm succeeded; interrupted: before its end; absent: it never ran."""
    if found.record is not None and "/etc/kubernetes/kubelet.conf" in found.traces:
        return DONE
    return INTERRUPTED if found.traces or found.etcd else ABSENT


def must_reset(found: Found, control_plane: bool) -> bool:
    """Whether leftovers must be reset before kubeadm can run again.

    etcd data are never removed: an init continues with them, and a control plane node that joined with them counts in
    the quorum. A worker that has its certificate is complete.
    """
    if state(found) != INTERRUPTED or found.etcd:
        return False
    return control_plane or not found.identity


def is_complete(found: Found, control_plane: bool) -> bool:
    """Whether an interrupted join had in fact succeeded, so that only the record is missing."""
    return (
        state(found) == INTERRUPTED
        and not control_plane
        and found.identity
        and "/etc/kubernetes/kubelet.conf" in found.traces
    )


def own_leftovers() -> list[str]:
    """Preflight errors of kubeadm that are caused by its own interrupted run."""
    manifests = [f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in MANIFESTS]
    kubelet = [f"FileAvailable--etc-kubernetes-{name}.conf" for name in ("bootstrap-kubelet", "kubelet")]
    return [*manifests, *kubelet, *(f"Port-{port}" for port in PORTS), "DirAvailable--var-lib-etcd"]


def altered_manifests(found: Found) -> dict[str, str]:
    """Manifests of static pods that were modified: the content to restore, by name."""
    recorded = (found.record or {}).get("manifests", {})
    return {name: text for name, text in recorded.items() if found.manifests.get(name) != text}


def changed_files(found: Found) -> list[str]:
    """Files of the control plane that have changed since they were last applied."""
    applied = (found.record or {}).get("files", {})
    return [path for path, digest in found.files.items() if applied.get(path) != digest] if state(found) == DONE else []


def not_after(pem: str) -> datetime | None:
    """Expiry of the first certificate in a PEM text; None if there is none.

    Nodes have no library for certificates: the validity is found in the DER encoding, as a sequence of two times.
    """
    block = re.search(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    der = base64.b64decode(block[1]) if block else b""
    validity = re.search(rb"\x30.(?:\x17\x0d\d{12}|\x18\x0f\d{14})Z(\x17\x0d|\x18\x0f)(\d+)Z", der, re.DOTALL)
    if not validity:
        return None
    digits = validity[2].decode()
    year = digits if validity[1] == b"\x18\x0f" else ("20" if digits < "50" else "19") + digits
    return datetime.strptime(year, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)  # noqa: UP017 for Python 3.10


def image_tag(images: dict[str, Any], repository: str) -> str:
    """Newest tag of the images with this repository, for instance "3.10.2" for registry.k8s.io/pause."""
    tags = [image.rsplit(":", 1)[1] for image in images if image.rsplit(":", 1)[0] == repository]
    if not tags:
        raise ValueError(f"artifacts.images has no image {repository}. Known: {', '.join(images)}")
    return max(tags, key=lambda tag: [int(part) for part in re.findall(r"\d+", tag)])


def node_images(images: dict[str, Any], server: bool) -> list[str]:
    """Images to pull early; kubeadm itself pulls the control plane's."""
    later = ("registry.k8s.io/coredns/", "quay.io/cilium/")
    return sorted(image for image in images if image.startswith(later) and (server or "clustermesh" not in image))


def join_credentials(command: str, key_output: str) -> dict[str, str]:
    """Join credentials from the output of kubeadm.

    :param command: output of ``kubeadm token create --print-join-command``; empty in check mode.
    :param key_output: output of ``kubeadm init phase upload-certs --upload-certs``; empty for workers.
    """
    words = command.split()
    after = dict(pairwise(words))
    key = key_output.split()[-1] if key_output.split() else ""
    return {
        "token": after.get("--token", ""),
        "ca_hash": after.get("--discovery-token-ca-cert-hash", ""),
        "certificate_key": key,
    }


def encryption_key(config: str) -> str:
    """The key in an EncryptionConfiguration; empty if there is none."""
    document = yaml.safe_load(config) if config else None
    providers = document["resources"][0]["providers"] if document else []
    keys = [key["secret"] for provider in providers for entry in provider.values() for key in entry.get("keys", [])]
    return keys[0] if keys else ""


def nodes_in(nodes: list[str], hostvars: dict[str, dict[str, Any]], running: bool) -> list[str]:
    """Nodes that were inspected and on which kubeadm has (or has not) succeeded, in the order given."""
    found = {name: hostvars[name].get("__cluster_kubeadm_found") for name in nodes if name in hostvars}
    return [name for name, one in found.items() if one and (one.get("state") == "done") is running]
