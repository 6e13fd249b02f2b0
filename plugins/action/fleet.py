# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Controller part of module fleet: reads the inventory, lets the pure rules judge it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding, did_you_mean
from ansible_collections.opendata.platform.plugins.module_utils.fleet.inventory_path import (
    UnknownInventory,
    directory,
    unknown_in_limit,
)
from ansible_collections.opendata.platform.plugins.module_utils.fleet.record import describe
from ansible_collections.opendata.platform.plugins.module_utils.fleet.schema import Inventory

ROLES = Path(__file__).resolve().parents[2] / "roles"
TEXT_FILES = ("", ".yml", ".yaml", ".json", ".ini")
COMMON = ("cluster_", "node_", "platform_", "machine_nspawn_network")


class ActionModule(ActionBase):
    """Makes the fleet record from the inventory, or fails with every finding."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The record as fact `fleet`; the state directory exists afterwards, but in check mode."""
        result = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        groups, hostvars = variables["groups"], variables["hostvars"]
        limit = unknown_in_limit(context.CLIARGS.get("subset"), [*groups, *hostvars])
        if limit:
            step = did_you_mean(limit[0], {*groups.get("clusters", []), *groups.get("nodes", [])})
            raise AnsibleActionFail(f"--limit: there is no host or group {', '.join(limit)}. {step}")
        roles = role_options(ROLES)
        prefixes = (*COMMON, *(f"{role}_" for role in roles))
        try:
            where = directory(context.CLIARGS.get("inventory") or [])
        except UnknownInventory as error:
            raise AnsibleActionFail(str(error)) from error
        inventory = Inventory(
            directory=where,
            cache=os.path.expanduser("~/.cache/odp"),
            clusters={host: self._own(hostvars, host, prefixes) for host in groups.get("clusters", [])},
            nodes={host: self._own(hostvars, host, prefixes) for host in groups.get("nodes", [])},
            common=self._own(hostvars, variables["inventory_hostname"], ("platform_",)),
            files=texts(where),
            roles=roles,
            services=services(ROLES),
        )
        record, findings = describe(inventory)
        report(findings)
        if not self._task.check_mode:
            Path(record["state"]).mkdir(mode=0o700, exist_ok=True)
            os.chmod(record["state"], 0o700)
        return {**result, "changed": False, "fleet": record}

    def _own(self, hostvars: Any, host: str, prefixes: tuple[str, ...]) -> dict[str, Any]:
        """The variables of one host that the rules look at."""
        own = hostvars[host]
        try:
            return {name: own[name] for name in own if name.startswith(prefixes)}
        except AnsibleError as error:
            raise AnsibleActionFail(f"{host}: a variable cannot be read: {error}") from error


def report(findings: list[Finding]) -> None:
    """Warn of what works, fail with all that does not."""
    for finding in findings:
        if not finding.is_error:
            Display().warning(str(finding))
    errors = [str(finding) for finding in findings if finding.is_error]
    if errors:
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        raise AnsibleActionFail("\n".join([f"The inventory has {count}, nothing was changed:", *errors]))


def role_options(roles: Path) -> dict[str, dict[str, Any]]:
    """Options with defaults of every role of this collection, from its argument specs."""
    found: dict[str, dict[str, Any]] = {}
    for spec in sorted(roles.glob("*/meta/argument_specs.yml")):
        entries = (yaml.safe_load(spec.read_text(encoding="utf-8")) or {}).get("argument_specs") or {}
        options = {name: value for entry in entries.values() for name, value in (entry.get("options") or {}).items()}
        found[spec.parts[-3]] = {name: (value or {}).get("default") for name, value in options.items()}
    return found


def services(roles: Path) -> tuple[str, ...]:
    """Roles of this collection that describe a data service: they hand it to role service."""
    mains = sorted(roles.glob("*/tasks/main.yml"))
    return tuple(path.parts[-3] for path in mains if "name: opendata.platform.service\n" in path.read_text())


def texts(where: str) -> dict[str, str]:
    """Text of each inventory file, by its path as the user would type it."""
    files = [path for path in Path(where).rglob("*") if path.suffix in TEXT_FILES and path.is_file()]
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(where).parts)]
    return {os.path.relpath(path): path.read_text(encoding="utf-8", errors="replace") for path in visible}
