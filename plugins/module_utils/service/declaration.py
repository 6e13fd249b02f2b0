# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""meta/service.yml, by which a role declares itself a service, with what the fleet record needs of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..findings import Finding, did_you_mean
from .rules import LONGEST_NAME, TAKEN, is_label
from .schema import Key, fault, shape

FILE, SPECS = "meta/service.yml", "meta/argument_specs.yml"
COLLECTION = "opendata.platform"
FEATURES = ("bucket", "database")
SCHEMA = {
    "name": Key((str,), ""),
    "memory": Key((str,), required=True),
    "requires": Key((list,), []),
    "features": Key((list,), []),
}
_QUANTITY = re.compile(r"\d+(\.\d+)?([KMGT]i?)?")
# Variables that Ansible sets, beside ansible_*.
OF_ANSIBLE = (
    *("group_names", "groups", "hostvars", "inventory_dir", "inventory_file", "inventory_hostname"),
    *("inventory_hostname_short", "omit", "play_hosts", "playbook_dir", "role_name", "role_names", "role_path"),
    *("role_uuid", "vars"),
)


@dataclass(frozen=True)
class ServiceRole:
    """A role that an inventory may name in cluster_services.

    role: what include_role takes: a fully qualified name, or the path of a role that is in no collection.
    declaration: content of its meta/service.yml; None without that file.
    specs: content of its meta/argument_specs.yml; None without that file.
    """

    role: str
    declaration: Any = None
    specs: Any = None


@dataclass(frozen=True)
class Service:
    """A role's declaration with its defaults.

    name: name of the service, by which others require it.
    memory: sum of the memory requests of its pods with its default values, a quantity of Kubernetes.
    requires: names of services that must run in the same cluster.
    features: what the platform provides for it, of FEATURES.
    """

    role: str
    name: str
    memory: str
    requires: list[str]
    features: list[str]


def key(name: str) -> str:
    """An entry of cluster_services as it is in the record: without the name of this collection."""
    return name.removeprefix(f"{COLLECTION}.")


def read(name: str, role: ServiceRole) -> tuple[Service, list[Finding]]:
    """The service that a role declares, and the faults of its declaration.

    name: the role's name in cluster_services.
    """
    found: dict[str, Any] = role.declaration if isinstance(role.declaration, dict) else {}
    own = str(found.get("name") or name.rpartition(".")[2].replace("_", "-"))
    memory = str(found.get("memory", ""))
    service = Service(role.role, own, memory, _texts(found, "requires"), _texts(found, "features"))
    return service, [*_role_faults(name.rpartition(".")[2], role), *_faults(role.declaration, service)]


def options(specs: Any) -> dict[str, dict[str, Any]] | None:
    """The options of all entry points by name, from the content of a role's argument specs; None if it is malformed."""
    try:
        entries = ((specs or {}).get("argument_specs") or {}).values()
        found = [option for entry in entries for option in ((entry or {}).get("options") or {}).items()]
        return {str(name): {**(value or {})} for name, value in found}
    except (AttributeError, TypeError):
        return None


def defaults(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The defaults of options, by name."""
    return {name: option.get("default") for name, option in options.items()}


def is_of_ansible(variable: str) -> bool:
    """Whether it is a variable that Ansible reads or sets itself."""
    return variable.startswith("ansible_") or variable in OF_ANSIBLE


def is_taken(role: str) -> bool:
    """Whether a role cannot have this name, because variables of Ansible have the prefix of its variables."""
    return is_of_ansible(role) or any(each.startswith(f"{role}_") for each in ("ansible_", *OF_ANSIBLE))


def _role_faults(name: str, role: ServiceRole) -> Iterator[Finding]:
    if is_taken(name):
        yield fault("", f"has a name that variables of Ansible begin with: {name}_", "Rename the role.")
    if options(role.specs) is None:
        step = "Correct it; the role that ./odp new service writes is an example."
        yield fault("", f"{SPECS} is not YAML with entry points and their options, in UTF-8", step)


def _texts(found: dict[str, Any], name: str) -> list[str]:
    value = found.get(name)
    return [str(each) for each in value] if isinstance(value, list) else []


def _faults(declaration: Any, service: Service) -> Iterator[Finding]:
    """Faults of keys; of all of it where the key is empty."""
    if declaration is None:
        step = f"Add {FILE} to the role, such as 'memory: 256Mi', or remove the role from cluster_services."
        yield fault("", "does not declare itself a service", step)
        return
    if not isinstance(declaration, dict):
        yield fault("", f"{FILE} is not a YAML mapping in UTF-8", "Write at least 'memory: 256Mi'.")
        return
    yield from shape(SCHEMA, declaration)
    if not is_label(service.name) or service.name in TAKEN:
        step = f"Choose another one, of at most {LONGEST_NAME} characters a-z, 0-9 and '-'."
        yield fault("name", f"'{service.name}' cannot be the name of a service", step)
    if isinstance(declaration.get("memory"), str) and not _QUANTITY.fullmatch(service.memory):
        yield fault("memory", f"'{service.memory}' is not a quantity", "Write one such as 256Mi.")
    for feature in (each for each in service.features if each not in FEATURES):
        yield fault("features", f"'{feature}' is unknown", did_you_mean(feature, FEATURES))
