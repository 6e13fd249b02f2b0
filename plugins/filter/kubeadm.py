# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_kubeadm: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.cluster import files as cluster_files
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import files as kubeadm_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "kubeadm_binary_files": cluster_files.binary_files,
            "kubeadm_encryption_key": kubeadm_files.encryption_key,
            "kubeadm_image_tag": kubeadm_files.image_tag,
            "kubeadm_join_credentials": kubeadm_files.join_credentials,
            "kubeadm_kept_kubeconfig": cluster_files.kept_kubeconfig,
            "kubeadm_kubeconfig": cluster_files.kubeconfig,
            "kubeadm_node_images": kubeadm_files.node_images,
            "kubeadm_registry_hosts": cluster_files.registry_hosts,
            "kubeadm_nodes_in": kubeadm_files.nodes_in,
        }
