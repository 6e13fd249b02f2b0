# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which files a node of a kubeadm cluster has. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import yaml

from .state import credentials


def binary_files(
    paths: dict[str, str], binaries: dict[str, dict[str, str]], mirror: str, version: str
) -> list[dict[str, str]]:
    """Entries of node_files for the binaries.

    :param paths: name of the binary by path.
    :param binaries: ``artifacts.binaries``.
    :param mirror: URL of the files' mirror; empty for the official ones.
    :param version: that of Kubernetes; where it is not the platform's own its binaries are called NAME@VERSION.
    """
    files = []
    for path, name in sorted(paths.items()):
        binary = binaries.get(f"{name}@{version}", binaries[name])
        official = {"url": binary["url"], "member": binary["member"]}
        source = {"url": f"{mirror}/{binary['path']}"} if mirror else official
        files.append({"path": path, "sha256": binary["sha256"], "mode": "0755", **source})
    return files


def registry_hosts(registries: dict[str, str], mirror: str) -> list[dict[str, str]]:
    """Entries of node_files that send containerd to the mirror first.

    :param registries: the registry's own URL by its name.
    :param mirror: URL of the images' mirror, which keeps image registry/x as repository registry/x; empty for none.
    """
    text = """server = "{server}"

[host."{mirror}/v2/{name}"]
  capabilities = ["pull", "resolve"]
  override_path = true
"""
    return [
        {
            "path": f"/etc/containerd/certs.d/{name}/hosts.toml",
            "content": text.format(server=server, mirror=mirror, name=name),
        }
        for name, server in sorted(registries.items())
        if mirror
    ]


def image_tag(images: dict[str, Any], repository: str) -> str:
    """Newest tag of the images with this repository, for instance "3.10.2" for registry.k8s.io/pause."""
    tags = [image.rsplit(":", 1)[1] for image in images if image.rsplit(":", 1)[0] == repository]
    if not tags:
        raise ValueError(f"artifacts.images has no image {repository}. Known: {', '.join(images)}")
    return max(tags, key=lambda tag: [int(part) for part in re.findall(r"\d+", tag)])


def node_images(images: dict[str, Any], server: bool) -> list[str]:
    """Images that a node pulls early; kubeadm itself pulls the control plane's."""
    later = ("registry.k8s.io/coredns/", "quay.io/cilium/")
    return sorted(image for image in images if image.startswith(later) and (server or "clustermesh" not in image))


def kubeconfig(text: str, name: str, endpoint: str) -> dict[str, Any]:
    """The administrator's kubeconfig as the fleet keeps it.

    :param text: admin.conf of kubeadm.
    :param name: the cluster's name, which becomes that of cluster, context and user.
    :param endpoint: host:port of the API for everybody.
    """
    source = yaml.safe_load(text)
    cluster = {**source["clusters"][0]["cluster"], "server": f"https://{endpoint}"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": source["users"][0]["user"]}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def kept_kubeconfig(text: str, digests: list[str]) -> str:
    """The fleet's own kubeconfig if it holds the credentials of an administrator; empty otherwise.

    :param text: what the controller has; empty if nothing.
    :param digests: `credentials` of the servers' admin.conf, each of which has its own.
    """
    if not text or credentials(text) not in [digest for digest in digests if digest]:
        return ""
    try:
        kubeconfig(text, "", "")
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return ""
    return text


def join_credentials(command: str, key_output: str) -> dict[str, str]:
    """What a join needs, from what kubeadm prints.

    :param command: output of ``kubeadm token create --print-join-command``; empty in check mode.
    :param key_output: output of ``kubeadm init phase upload-certs --upload-certs``; empty if no server joins.
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
    """The key in a server's EncryptionConfiguration; empty if there is none."""
    document = yaml.safe_load(config) if config else None
    providers = document["resources"][0]["providers"] if document else []
    keys = [key["secret"] for provider in providers for entry in provider.values() for key in entry.get("keys", [])]
    return keys[0] if keys else ""


def nodes_in(nodes: list[str], hostvars: dict[str, dict[str, Any]], running: bool) -> list[str]:
    """Nodes that were looked at and on which kubeadm did (or did not) end well, in the order given."""
    found = {name: hostvars[name].get("__cluster_kubeadm_found") for name in nodes if name in hostvars}
    return [name for name in nodes if found.get(name) and (found[name].get("state") == "done") is running]
