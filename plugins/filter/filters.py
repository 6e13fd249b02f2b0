# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""All filters: what templates and tasks need from the pure files, with findings as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.cilium import values as cilium
from ansible_collections.opendata.platform.plugins.module_utils.cluster import files, operations
from ansible_collections.opendata.platform.plugins.module_utils.existing import kubeconfig
from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text
from ansible_collections.opendata.platform.plugins.module_utils.fleet import proxy
from ansible_collections.opendata.platform.plugins.module_utils.flux import install as flux
from ansible_collections.opendata.platform.plugins.module_utils.flux import sops
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import costs, errors, plan, resources
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as k3s
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as kubeadm
from ansible_collections.opendata.platform.plugins.module_utils.mesh import members
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import rotation
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import report
from ansible_collections.opendata.platform.plugins.module_utils.node import preflight, ssh_host_key
from ansible_collections.opendata.platform.plugins.module_utils.service import secrets, tree


def node_answer_finding(answer: dict[str, Any], node: dict[str, Any], file: str) -> str:
    """Return what is wrong with the answer of a machine, empty if nothing is."""
    return str(preflight.answer_finding(answer, node, file) or "")


class FilterModule:
    """The filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "cilium_fit": cilium.fit,
            "cilium_notes": cilium.notes,
            "cilium_settings": cilium.settings,
            "cluster_binary_files": files.binary_files,
            "cluster_kept_kubeconfig": files.kept_kubeconfig,
            "cluster_kubeconfig": files.kubeconfig,
            "cluster_registry_hosts": files.registry_hosts,
            "clustermesh_behind": members.behind,
            "clustermesh_first_nodes": members.first_nodes,
            "clustermesh_removed_peers": members.removed_peers,
            "clustermesh_records": members.records,
            "clustermesh_rotation_answers": rotation.asked,
            "clustermesh_rotation_blockers": rotation.blockers,
            "clustermesh_rotation_refusals": rotation.refusals,
            "clustermesh_rotation_steps": rotation.steps,
            "clustermesh_rotation_summary": rotation.summary,
            "clustermesh_new_peers": members.new_peers,
            "clustermesh_unhealthy": report.unhealthy,
            "etcd_findings": as_text(operations.removal_findings),
            "etcd_healthy": operations.healthy_members,
            "etcd_members": operations.etcd_members,
            "existing_kubeconfig": kubeconfig.own,
            "flux_encrypted_files": sops.published,
            "flux_encrypted_findings": as_text(sops.findings),
            "flux_install": flux.install,
            "flux_secrets": sops.secrets,
            "flux_waiting": flux.waiting,
            "hcloud_balancers": resources.balancers,
            "hcloud_clusters": resources.clusters,
            "hcloud_costs": costs.costs,
            "hcloud_error": errors.explain,
            "hcloud_firewall_rules": resources.firewall_rules,
            "hcloud_labels": resources.labels,
            "hcloud_named": plan.named,
            "hcloud_of_fleet": plan.of_fleet,
            "hcloud_of_servers": costs.of_servers,
            "hcloud_plan": plan.plan,
            "hcloud_selector": resources.selector,
            "hcloud_services": resources.services,
            "hcloud_snapshots_of": costs.snapshots_of,
            "hcloud_subnets": resources.subnets,
            "hcloud_unknown": as_text(errors.unknown),
            "k3s_in_state": k3s.in_state,
            "k3s_inspected": k3s.inspected,
            "k3s_node_findings": as_text(k3s.node_findings),
            "k3s_registries": k3s.registries,
            "k3s_s3": k3s.s3,
            "k3s_upgrade_findings": as_text(k3s.upgrade_findings),
            "kubeadm_encryption_key": kubeadm.encryption_key,
            "kubeadm_image_tag": kubeadm.image_tag,
            "kubeadm_join_credentials": kubeadm.join_credentials,
            "kubeadm_node_images": kubeadm.node_images,
            "kubeadm_nodes_in": kubeadm.nodes_in,
            "node_answer_finding": node_answer_finding,
            "node_findings": as_text(preflight.findings),
            "proxy_apt": proxy.apt,
            "proxy_environment": proxy.environment,
            "proxy_environment_file": proxy.environment_file,
            "service_bucket_of_peer": secrets.bucket_of_peer,
            "service_images": tree.images,
            "service_secrets": secrets.secrets,
            "service_view": tree.view,
            "service_waiting": tree.waiting,
            "ssh_arguments": ssh_host_key.arguments,
            "ssh_unpinned": ssh_host_key.unpinned,
            "upgrade_due": operations.upgrade_due,
            "upgrade_findings": as_text(operations.upgrade_findings),
            "upgrade_nodes": operations.nodes,
        }
