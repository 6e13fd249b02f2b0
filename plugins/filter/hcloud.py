# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role machine_hcloud: thin wrappers."""

from __future__ import annotations

from ansible_collections.opendata.platform.plugins.module_utils.findings import as_text
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import costs, resources
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import errors as hcloud_errors
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import plan as hcloud_plan


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, object]:
        """Filters by name."""
        return {
            "hcloud_balancers": resources.balancers,
            "hcloud_clusters": resources.clusters,
            "hcloud_costs": costs.costs,
            "hcloud_error": hcloud_errors.explain,
            "hcloud_firewall_rules": resources.firewall_rules,
            "hcloud_labels": resources.labels,
            "hcloud_named": hcloud_plan.named,
            "hcloud_of_fleet": hcloud_plan.of_fleet,
            "hcloud_of_servers": costs.of_servers,
            "hcloud_plan": hcloud_plan.plan,
            "hcloud_selector": resources.selector,
            "hcloud_services": resources.services,
            "hcloud_snapshots_of": costs.snapshots_of,
            "hcloud_subnets": resources.subnets,
            "hcloud_unknown": as_text(hcloud_errors.unknown),
        }
