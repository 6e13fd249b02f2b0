# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role cluster_k3s: thin doors to the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.k3s import files as k3s_files
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as k3s_state
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import files as kubeadm_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "k3s_binary_files": kubeadm_files.binary_files,
            "k3s_in_state": k3s_files.in_state,
            "k3s_kept_kubeconfig": kubeadm_files.kept_kubeconfig,
            "k3s_kubeconfig": kubeadm_files.kubeconfig,
            "k3s_looked_at": k3s_files.looked_at,
            "k3s_node_findings": k3s_files.node_findings,
            "k3s_registries": k3s_files.registries,
            "k3s_s3": k3s_files.s3,
            "k3s_upgrade_refusal": k3s_state.upgrade_refusal,
        }
