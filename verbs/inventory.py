# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Finds inventories by name or path, and reads their hosts' variables as Ansible does."""

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))

from ansible.inventory.manager import InventoryManager  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from ansible.template import Templar  # noqa: E402
from ansible.vars.manager import VariableManager  # noqa: E402

init_plugin_loader()

from ansible_collections.opendata.platform.plugins.module_utils._fleet_findings import did_you_mean  # noqa: E402


def names() -> list[str]:
    """The inventories of this repository."""
    return sorted(path.name for path in (ROOT / "inventories").iterdir() if path.is_dir())


def find(name: str) -> Path:
    """Path of an inventory given by name or by path; ends the program with the list of names when there is none."""
    given = Path(os.environ.get("ODP_DIRECTORY", ".")) / name
    if name in names():
        return ROOT / "inventories" / name
    if given.exists():
        return given.resolve()
    sys.exit(f"odp: there is no inventory '{name}', by name or path. {did_you_mean(name, names())}")


def default() -> str:
    """The inventory of a verb that was given none."""
    return os.environ.get("ODP_INVENTORY", "local")


class Fleet:
    """The hosts of one inventory with their variables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = (path if path.is_dir() else path.parent) / ".state"
        self._loader = DataLoader()
        self._manager = InventoryManager(loader=self._loader, sources=[str(path)])
        self._variables = VariableManager(loader=self._loader, inventory=self._manager)

    def hosts(self, group: str) -> list[str]:
        """The hosts of a group, sorted; none when there is no such group."""
        return sorted(self._manager.get_groups_dict().get(group, []))

    def value(self, host: str, variable: str, fallback: str = "") -> Any:
        """A variable of a host with its templates resolved."""
        variables = self._variables.get_vars(host=self._manager.get_host(host))
        return Templar(loader=self._loader, variables=variables).template(variables.get(variable, fallback))

    def member(self, group: str, name: str) -> str:
        """`name` if it is in the group; else ends the program with the list."""
        if name not in self.hosts(group):
            step = did_you_mean(name, self.hosts(group))
            sys.exit(f"odp: {self.path.name} has no host '{name}' in group {group} ({self.path}). {step}")
        return name
