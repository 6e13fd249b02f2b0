# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Action plugin fleet: reads the inventory and checks it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible import constants, context
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.collection_loader._collection_finder import _get_collection_path
from ansible.utils.display import Display
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding, did_you_mean
from ansible_collections.opendata.platform.plugins.module_utils.fleet import paths, schema
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.fleet.record import Inventory
from ansible_collections.opendata.platform.plugins.module_utils.fleet.rules.services import VARIABLE
from ansible_collections.opendata.platform.plugins.module_utils.service import declaration
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import COLLECTION, ServiceRole

# That in C is ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ROLES = Path(__file__).resolve().parents[2] / "roles"
TEXT_FILES = ("", ".yml", ".yaml", ".json", ".ini")
COMMON = ("cluster_", "node_", "platform_", "machine_nspawn_network")


class ActionModule(ActionBase):
    """Builds the fleet record from the inventory, or fails with all findings."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the record as `fleet`; creates the state directory except in check mode."""
        result = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        groups, hostvars = variables["groups"], variables["hostvars"]
        limit = paths.unknown_in_limit(context.CLIARGS.get("subset"), [*groups, *hostvars])
        if limit:
            step = did_you_mean(limit[0], {*groups.get("clusters", []), *groups.get("nodes", [])})
            raise AnsibleActionFail(f"--limit: there is no host or group {', '.join(limit)}. {step}")
        found = service_roles(self._wanted(hostvars, groups), self._beside(variables))
        options = role_options([*ROLES.iterdir(), *(path for path, _role in found.values())])
        roles = {role: declaration.defaults(each) for role, each in options.items()}
        prefixes = (*COMMON, *(f"{role}_" for role in roles))
        try:
            where = paths.directory(context.CLIARGS.get("inventory") or [])
        except paths.UnknownInventory as error:
            raise AnsibleActionFail(str(error)) from error
        inventory = Inventory(
            directory=where,
            cache=os.path.expanduser("~/.cache/odp"),
            clusters={host: self._own(hostvars, host, prefixes) for host in groups.get("clusters", [])},
            nodes={host: self._own(hostvars, host, prefixes) for host in groups.get("nodes", [])},
            common=self._own(hostvars, variables["inventory_hostname"], ("platform_",)),
            schema=schema.read(specs(ROLES / "fleet")),
            files=texts(where),
            roles=roles,
            options=options,
            services={name: role for name, (_path, role) in found.items()},
            known_hosts=str(paths.known_hosts(Path(where, ".state"))),
        )
        record, findings = describe(inventory)
        report(findings)
        if not self._task.check_mode:
            make_state(record["name"], Path(record["state"]))
        return {**result, "changed": False, "fleet": record}

    def _wanted(self, hostvars: Any, groups: dict[str, list[str]]) -> set[str]:
        """The names in cluster_services of all clusters; the rules judge what is not a list of names."""
        lists = [self._own(hostvars, host, (VARIABLE,)).get(VARIABLE) for host in groups.get("clusters", [])]
        return {each for names in lists if isinstance(names, list) for each in names if isinstance(each, str)}

    def _beside(self, variables: dict[str, Any]) -> list[Path]:
        """Where Ansible finds roles in no collection; also below the directory of the command, for other playbooks."""
        playbook = Path(variables["playbook_dir"])
        paths = [Path(path) for path in constants.DEFAULT_ROLES_PATH or ()]
        return [playbook / "roles", *paths, playbook, Path.cwd() / "roles"]

    def _own(self, hostvars: Any, host: str, prefixes: tuple[str, ...]) -> dict[str, Any]:
        """The variables of one host that the rules need."""
        own = hostvars[host]
        try:
            return {name: own[name] for name in own if name.startswith(prefixes)}
        except AnsibleError as error:
            raise AnsibleActionFail(f"{host}: a variable cannot be read: {error}") from error


def make_state(fleet: str, state: Path) -> None:
    """Create the state directory, for this user only."""
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        state.chmod(0o700)
    except OSError as error:
        problem = f"the state directory cannot be created: {error.strerror}"
        step = f"Make {state.parent} writable for this user, and remove {state} if it is not a directory."
        report([Finding("error", fleet, "", problem, step, where=str(state))])


def report(findings: list[Finding]) -> None:
    """Show warnings, and fail with all errors."""
    for finding in findings:
        if not finding.is_error:
            Display().warning(str(finding))
    errors = [str(finding) for finding in findings if finding.is_error]
    if errors:
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        raise AnsibleActionFail("\n".join([f"The inventory has {count}, nothing was changed:", *errors]))


def role_options(roles: Iterable[Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """Options from the argument specs of roles, by the role's name; none of roles without specs."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for role in sorted(roles):
        found.setdefault(role.name, {}).update(declaration.options(_content(role / declaration.SPECS)) or {})
    return found


def specs(role: Path) -> dict[str, Any]:
    """The argument specs of a role of this collection by entry point."""
    found: dict[str, Any] = _content(role / declaration.SPECS)["argument_specs"]
    return found


def service_roles(wanted: Iterable[str] = (), beside: Iterable[Path] = ()) -> dict[str, tuple[Path, ServiceRole]]:
    """Roles that declare themselves services, and those that are wanted, by name; each with its directory.

    wanted: names in cluster_services; of a fully qualified one the whole collection is searched.
    beside: directories of roles in no collection; the first one wins.
    """
    places = [(f"{COLLECTION}.", ROLES)]
    for collection in sorted({name.rpartition(".")[0] for name in wanted if name.count(".") == 2} - {COLLECTION}):
        with contextlib.suppress(ValueError):
            places.append((f"{collection}.", Path(_get_collection_path(collection), "roles")))
    places += [("", place) for place in beside]
    keys = {declaration.key(name) for name in wanted}
    found: dict[str, tuple[Path, ServiceRole]] = {}
    for prefix, place in places:
        for role in sorted(place.iterdir()) if place.is_dir() else ():
            name, file = declaration.key(f"{prefix}{role.name}"), role / declaration.FILE
            if name not in found and role.is_dir() and (file.is_file() or name in keys):
                full = f"{prefix}{role.name}" if prefix else str(role)
                found[name] = role, ServiceRole(full, _content(file), _content(role / declaration.SPECS))
    return found


def _content(file: Path) -> Any:
    """Content of a YAML file of a role; None where there is none, its text where it is not YAML in UTF-8."""
    try:
        return (yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader) or {}) if file.is_file() else None
    except (yaml.YAMLError, ValueError):
        return file.read_text(encoding="utf-8", errors="replace")


def texts(where: str) -> dict[str, str]:
    """Text of each inventory file, by its path as the user would type it."""
    files = [path for path in Path(where).rglob("*") if path.suffix in TEXT_FILES and path.is_file()]
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(where).parts)]
    return {os.path.relpath(path): path.read_text(encoding="utf-8", errors="replace") for path in visible}
