# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_kubeadm: thin doors to the pure file."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import _kubeadm_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "kubeadm_binary_files": _kubeadm_files.binary_files,
            "kubeadm_encryption_key": _kubeadm_files.encryption_key,
            "kubeadm_image_tag": _kubeadm_files.image_tag,
            "kubeadm_join_credentials": _kubeadm_files.join_credentials,
            "kubeadm_kept_kubeconfig": _kubeadm_files.kept_kubeconfig,
            "kubeadm_kubeconfig": _kubeadm_files.kubeconfig,
            "kubeadm_node_images": _kubeadm_files.node_images,
            "kubeadm_registry_hosts": _kubeadm_files.registry_hosts,
            "kubeadm_nodes_in": _kubeadm_files.nodes_in,
        }
