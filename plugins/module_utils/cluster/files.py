# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Files of nodes and of the controller that all distributions have. Pure."""

from __future__ import annotations

import contextlib
from typing import Any

from .kubeconfig import credentials, document

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml


def binary_files(
    paths: dict[str, str], binaries: dict[str, dict[str, str]], mirror: str, version: str = ""
) -> list[dict[str, str]]:
    """Entries of node_files for the binaries.

    :param paths: name of the binary by path.
    :param binaries: ``artifacts.binaries``.
    :param mirror: URL of the file mirror; empty for the official URLs.
    :param version: Kubernetes version; binaries of another version than the platform's default are named NAME@VERSION.
    """
    files = []
    for path, name in sorted(paths.items()):
        binary = binaries.get(f"{name}@{version}", binaries[name])
        official = {"url": binary["url"], "member": binary["member"]}
        source = {"url": f"{mirror}/{binary['path']}"} if mirror else official
        files.append({"path": path, "sha256": binary["sha256"], "mode": "0755", **source})
    return files


def registry_hosts(registries: dict[str, str], mirror: str) -> list[dict[str, str]]:
    """Entries of node_files that make containerd try the mirror first.

    :param registries: URL of the registry by name.
    :param mirror: URL of the registry mirror, which stores image registry/x as repository registry/x; empty for none.
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


def kubeconfig(text: str, name: str, endpoint: str) -> dict[str, Any]:
    """The administrator's kubeconfig as the fleet keeps it.

    :param text: the kubeconfig that the distribution wrote, such as kubeadm's admin.conf.
    :param name: the cluster's name, which becomes that of cluster, context and user.
    :param endpoint: host:port of the API server for clients.
    """
    source = yaml.safe_load(text)
    cluster = {**source["clusters"][0]["cluster"], "server": f"https://{endpoint}"}
    return document(name, cluster, source["users"][0]["user"])


def kept_kubeconfig(text: str, digests: list[str]) -> str:
    """The fleet's kubeconfig while its credentials are an administrator's of the cluster; empty otherwise.

    :param text: the kubeconfig on the controller; empty if there is none.
    :param digests: `credentials` of each server's own admin kubeconfig.
    """
    if not text or credentials(text) not in [digest for digest in digests if digest]:
        return ""
    try:
        kubeconfig(text, "", "")
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return ""
    return text
