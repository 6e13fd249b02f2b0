# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Images, keys and join credentials of the nodes of a kubeadm cluster. Pure."""

from __future__ import annotations

import contextlib
import re
from itertools import pairwise
from typing import Any

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml


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
