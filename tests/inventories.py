# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Fixtures of inventories as the pure rules see them."""

from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.opendata.platform.plugins.action import fleet as action
from ansible_collections.opendata.platform.plugins.module_utils.fleet.record import Inventory
from ansible_collections.opendata.platform.plugins.module_utils.fleet.schema import read
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import defaults

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests/fixtures"
ROLES = {
    "artifacts": {"artifacts_versions": {"k3s": "v1.36.4+k3s1", "kubernetes": "v1.36.3"}},
    "cilium": {"cilium_adopt": False, "cilium_enabled": True, "cilium_values": {}},
    "cluster_existing": {"cluster_existing_context": "", "cluster_existing_kubeconfig": ""},
    "machine_hcloud": {"machine_hcloud_network": "10.78.0.0/16", "machine_hcloud_operators": []},
    "cluster_kind": yaml.safe_load((ROOT / "roles/cluster_kind/defaults/main.yml").read_text()),
    "cluster_k3s": {f"cluster_k3s_{name}": "" for name in ("binary", "node_ip", "s3", "sha256")},
    "machine_nspawn": {"machine_nspawn_network": "10.77.0.0/24"},
}

OPTIONS = action.role_options(action.ROLES.iterdir())
SCHEMA = read(action.specs(action.ROLES / "fleet"))
SERVICES = {name: role for name, (_path, role) in action.service_roles().items()}


def names(kind: str) -> list[str]:
    """The fixtures of a kind: valid or invalid."""
    return sorted(path.parent.name for path in (FIXTURES / kind).glob("*/hosts.yml"))


def load(kind: str, name: str) -> Inventory:
    """tests/fixtures/<kind>/<name>/hosts.yml as an inventory in a directory /fleet/<name>."""
    text = (FIXTURES / kind / name / "hosts.yml").read_text()
    groups = yaml.safe_load(text)
    common = groups.get("all", {}).get("vars", {})
    clusters, nodes = (_hosts(groups.get(group, {"hosts": {}}), common) for group in ("clusters", "nodes"))
    anyone = next(iter({**clusters, **nodes}.values()), {})
    platform = {key: value for key, value in anyone.items() if key.startswith("platform_")}
    return Inventory(
        f"/fleet/{name}", "/cache", clusters, nodes, platform, SCHEMA, {"hosts.yml": text}, ROLES, OPTIONS, SERVICES
    )


def _hosts(group: dict[str, Any], common: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {host: {**common, **group.get("vars", {}), **(own or {})} for host, own in group["hosts"].items()}


def shipped() -> list[str]:
    """The inventories of this repository."""
    return sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))


def load_shipped(name: str) -> Inventory:
    """inventories/<name> as Ansible reads it, with the options of all roles."""
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(ROOT / "inventories" / name)])
    variables = VariableManager(loader=loader, inventory=manager)
    roles = {role: defaults(options) for role, options in OPTIONS.items()}
    prefixes = (*action.COMMON, *(f"{role}_" for role in roles))

    def own(group: str) -> dict[str, dict[str, Any]]:
        found = {}
        for host in manager.groups[group].get_hosts() if group in manager.groups else ():
            seen = variables.get_vars(host=host)
            templar = Templar(loader=loader, variables=seen)
            found[host.name] = {key: templar.template(value) for key, value in seen.items() if key.startswith(prefixes)}
        return found

    clusters, nodes = own("clusters"), own("nodes")
    platform = {key: value for key, value in next(iter(clusters.values())).items() if key.startswith("platform_")}
    directory = str(ROOT / "inventories" / name)
    texts = action.texts(directory)
    return Inventory(directory, "/cache", clusters, nodes, platform, SCHEMA, texts, roles, OPTIONS, SERVICES)
