# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""All filters: what templates and tasks need from the pure files, with findings as text."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text

PACKAGES = "ansible_collections.opendata.platform.plugins.module_utils"


class Imported:
    """A function of module_utils, imported at its first call: every worker of Ansible loads all filters."""

    def __init__(self, path: str, findings: bool = False) -> None:
        self.path, self.findings = path, findings

    @functools.cached_property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself, under the name by which `inspect` finds its signature."""
        module, _, name = self.path.rpartition(".")
        function: Callable[..., Any] = getattr(importlib.import_module(f"{PACKAGES}.{module}"), name)
        return as_text(function) if self.findings else function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.__wrapped__(*args, **kwargs)


ANSWER_FINDING = Imported("node.preflight.answer_finding")


def node_answer_finding(answer: dict[str, Any], node: dict[str, Any], file: str) -> str:
    """Return what is wrong with the answer of a machine, empty if nothing is."""
    return str(ANSWER_FINDING(answer, node, file) or "")


class FilterModule:
    """The filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "cilium_fit": Imported("cilium.values.fit"),
            "cilium_notes": Imported("cilium.values.notes"),
            "cilium_settings": Imported("cilium.values.settings"),
            "cluster_binary_files": Imported("cluster.files.binary_files"),
            "cluster_kept_kubeconfig": Imported("cluster.files.kept_kubeconfig"),
            "cluster_kubeconfig": Imported("cluster.files.kubeconfig"),
            "cluster_registry_hosts": Imported("cluster.files.registry_hosts"),
            "clustermesh_behind": Imported("mesh.members.behind"),
            "clustermesh_first_nodes": Imported("mesh.members.first_nodes"),
            "clustermesh_removed_peers": Imported("mesh.members.removed_peers"),
            "clustermesh_records": Imported("mesh.members.records"),
            "clustermesh_rotation_answers": Imported("mesh.pki.rotation.asked"),
            "clustermesh_rotation_blockers": Imported("mesh.pki.rotation.blockers"),
            "clustermesh_rotation_refusals": Imported("mesh.pki.rotation.refusals"),
            "clustermesh_rotation_steps": Imported("mesh.pki.rotation.steps"),
            "clustermesh_rotation_summary": Imported("mesh.pki.rotation.summary"),
            "clustermesh_new_peers": Imported("mesh.members.new_peers"),
            "clustermesh_unhealthy": Imported("mesh.status.report.unhealthy"),
            "etcd_findings": Imported("cluster.operations.removal_findings", findings=True),
            "etcd_healthy": Imported("cluster.operations.healthy_members"),
            "etcd_members": Imported("cluster.operations.etcd_members"),
            "existing_kubeconfig": Imported("existing.kubeconfig.own"),
            "flux_encrypted_files": Imported("flux.sops.published"),
            "flux_encrypted_findings": Imported("flux.sops.findings", findings=True),
            "flux_install": Imported("flux.install.install"),
            "flux_secrets": Imported("flux.sops.secrets"),
            "flux_waiting": Imported("flux.install.waiting"),
            "hcloud_balancers": Imported("hcloud.resources.balancers"),
            "hcloud_clusters": Imported("hcloud.resources.clusters"),
            "hcloud_costs": Imported("hcloud.costs.costs"),
            "hcloud_error": Imported("hcloud.errors.explain"),
            "hcloud_firewall_rules": Imported("hcloud.resources.firewall_rules"),
            "hcloud_labels": Imported("hcloud.resources.labels"),
            "hcloud_named": Imported("hcloud.plan.named"),
            "hcloud_of_fleet": Imported("hcloud.plan.of_fleet"),
            "hcloud_of_servers": Imported("hcloud.costs.of_servers"),
            "hcloud_plan": Imported("hcloud.plan.plan"),
            "hcloud_selector": Imported("hcloud.resources.selector"),
            "hcloud_services": Imported("hcloud.resources.services"),
            "hcloud_snapshots_of": Imported("hcloud.costs.snapshots_of"),
            "hcloud_subnets": Imported("hcloud.resources.subnets"),
            "hcloud_unknown": Imported("hcloud.errors.unknown", findings=True),
            "k3s_in_state": Imported("k3s.state.in_state"),
            "k3s_inspected": Imported("k3s.state.inspected"),
            "k3s_node_findings": Imported("k3s.state.node_findings", findings=True),
            "k3s_registries": Imported("k3s.state.registries"),
            "k3s_s3": Imported("k3s.state.s3"),
            "k3s_upgrade_findings": Imported("k3s.state.upgrade_findings", findings=True),
            "kubeadm_encryption_key": Imported("kubeadm.state.encryption_key"),
            "kubeadm_image_tag": Imported("kubeadm.state.image_tag"),
            "kubeadm_join_credentials": Imported("kubeadm.state.join_credentials"),
            "kubeadm_node_images": Imported("kubeadm.state.node_images"),
            "kubeadm_nodes_in": Imported("kubeadm.state.nodes_in"),
            "node_answer_finding": node_answer_finding,
            "node_findings": Imported("node.preflight.findings", findings=True),
            "proxy_apt": Imported("fleet.proxy.apt"),
            "proxy_environment": Imported("fleet.proxy.environment"),
            "proxy_environment_file": Imported("fleet.proxy.environment_file"),
            "service_bucket_of_peer": Imported("service.secrets.bucket_of_peer"),
            "service_images": Imported("service.tree.images"),
            "service_secrets": Imported("service.secrets.secrets"),
            "service_view": Imported("service.tree.view"),
            "service_waiting": Imported("service.tree.waiting"),
            "ssh_arguments": Imported("node.ssh_host_key.arguments"),
            "ssh_unpinned": Imported("node.ssh_host_key.unpinned"),
            "upgrade_due": Imported("cluster.operations.upgrade_due"),
            "upgrade_findings": Imported("cluster.operations.upgrade_findings", findings=True),
            "upgrade_nodes": Imported("cluster.operations.nodes"),
        }
