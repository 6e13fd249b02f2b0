# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role machine_hcloud: thin doors to the pure files."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils import (
    _hcloud,
    _hcloud_costs,
    _hcloud_errors,
    _hcloud_plan,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "hcloud_balancers": _hcloud.balancers,
            "hcloud_clusters": _hcloud.clusters,
            "hcloud_costs": _hcloud_costs.costs,
            "hcloud_error": _hcloud_errors.explain,
            "hcloud_firewall_rules": _hcloud.firewall_rules,
            "hcloud_labels": _hcloud.labels,
            "hcloud_named": _hcloud_plan.named,
            "hcloud_node": _hcloud_plan.node_of,
            "hcloud_of_fleet": _hcloud_plan.of_fleet,
            "hcloud_of_servers": _hcloud_costs.of_servers,
            "hcloud_plan": _hcloud_plan.plan,
            "hcloud_selector": _hcloud.selector,
            "hcloud_services": _hcloud.services,
            "hcloud_snapshots_of": _hcloud_costs.snapshots_of,
            "hcloud_subnets": _hcloud.subnets,
            "hcloud_unknown": _hcloud_errors.unknown,
        }
