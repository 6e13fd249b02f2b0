# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Reads the hosts of an inventory with their variables, as Ansible does. Makes the collection importable."""

import os
import sys
from pathlib import Path
from typing import Any

from inventory import ROOT

os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

init_plugin_loader()

from ansible_collections.opendata.platform.plugins.module_utils.findings import did_you_mean  # noqa: E402


class Fleet:
    """The hosts of one inventory with their variables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = (path if path.is_dir() else path.parent) / ".state"
        self._loader = DataLoader()
        self._manager = InventoryManager(loader=self._loader, sources=[str(path)])
        self._variables = VariableManager(loader=self._loader, inventory=self._manager)

    def hosts(self, group: str) -> list[str]:
        """The hosts of a group, sorted; none if there is no such group."""
        return sorted(self._manager.get_groups_dict().get(group, []))

    def value(self, host: str, variable: str, fallback: str = "") -> Any:
        """A variable of a host, with templates resolved."""
        try:
            variables = self._variables.get_vars(host=self._manager.get_host(host))
            return Templar(loader=self._loader, variables=variables).template(variables.get(variable, fallback))
        except AnsibleError as error:
            sys.exit(f"odp: {host}: {variable} cannot be read: {error}")

    def member(self, group: str, name: str) -> str:
        """`name` if it is in the group; else exits with the list."""
        if name not in self.hosts(group):
            step = did_you_mean(name, self.hosts(group))
            sys.exit(f"odp: {self.path.name} has no host '{name}' in group {group} ({self.path}). {step}")
        return name
