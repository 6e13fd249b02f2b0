# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Fixtures of inventories as the pure rules see them."""

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.opendata.platform.plugins.module_utils._fleet import Inventory

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests/fixtures"
ROLES = {
    "artifacts": {"artifacts_versions": {"kubernetes": "v1.36.3"}},
    "cilium": {"cilium_values": {}},
    "cluster_kind": yaml.safe_load((ROOT / "roles/cluster_kind/defaults/main.yml").read_text()),
    "machine_nspawn": {"machine_nspawn_network": "10.77.0.0/24"},
}

SERVICES = ("cloudnative_pg", "dagster", "garage", "minio", "postgres")


def names(kind: str) -> list[str]:
    """The fixtures of a kind: valid or invalid."""
    return sorted(path.parent.name for path in (FIXTURES / kind).glob("*/hosts.yml"))


def load(kind: str, name: str) -> Inventory:
    """tests/fixtures/<kind>/<name>/hosts.yml as an inventory in a directory /fleet/<name>."""
    text = (FIXTURES / kind / name / "hosts.yml").read_text()
    groups = yaml.safe_load(text)
    common = groups.get("all", {}).get("vars", {})
    clusters, nodes = (_hosts(groups[group], common) for group in ("clusters", "nodes"))
    anyone = next(iter({**clusters, **nodes}.values()), {})
    platform = {key: value for key, value in anyone.items() if key.startswith("platform_")}
    return Inventory(f"/fleet/{name}", "/cache", clusters, nodes, platform, {"hosts.yml": text}, ROLES, SERVICES)


def _hosts(group: dict[str, Any], common: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {host: {**common, **group.get("vars", {}), **(own or {})} for host, own in group["hosts"].items()}
