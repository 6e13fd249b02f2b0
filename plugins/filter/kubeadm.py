# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_kubeadm: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as kubeadm_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "kubeadm_encryption_key": kubeadm_files.encryption_key,
            "kubeadm_image_tag": kubeadm_files.image_tag,
            "kubeadm_join_credentials": kubeadm_files.join_credentials,
            "kubeadm_node_images": kubeadm_files.node_images,
            "kubeadm_nodes_in": kubeadm_files.nodes_in,
        }
