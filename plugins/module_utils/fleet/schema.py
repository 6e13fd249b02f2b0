# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The variables of an inventory that describe the fleet. Pure.

Their names, types, choices, defaults and descriptions are in the argument specs of role fleet, in the entry points
`cluster`, `node` and `platform`. Here is only what an argument spec cannot express.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Providers whose clusters consist of hosts in group nodes, and those whose clusters do not.
ON_NODES = ("kubeadm", "k3s")
WITHOUT_NODES = ("kind", "existing")
CONTROL_PLANE, WORKER = ROLES = ("control_plane", "worker")
NSPAWN, HCLOUD, EXISTING = ("nspawn", "hcloud", "existing")
OBJECT_STORES = ("garage", "minio")
API_PORT = 6443

FORMATS = {
    "cluster_kubernetes": "version",
    "cluster_pod_cidr": "network",
    "cluster_service_cidr": "network",
    "cluster_endpoint": "endpoint",
    "cluster_virtual_address": "address",
    "node_address": "address",
    "platform_http_proxy": "url",
    "platform_https_proxy": "url",
    "platform_registry_mirror": "url",
    "platform_artifacts_mirror": "url",
}
# The limit of Cilium Cluster Mesh with the default of max-connected-clusters.
LARGEST = {"cluster_id": 255}
# Values of release 0.1.0.
RENAMED = {"node_role": {"server": CONTROL_PLANE, "agent": WORKER}, "node_machine": {"given": EXISTING}}


@dataclass(frozen=True)
class Variable:
    """What one variable of an inventory may hold.

    kind: how its value is checked: one of the values of FORMATS, choice, number, switch, list or text.
    about: what it is, for messages.
    default: the value when unset; None when it is required.
    choices: its values, of kind choice.
    most: its largest number, of kind number; the smallest is 1.
    renamed: values of earlier releases, each with the value that replaces it.
    """

    kind: str
    about: str
    default: str | int | bool | list[str] | None = None
    choices: tuple[str, ...] = ()
    most: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)

    def fits(self, value: Any) -> bool:
        """Whether the value is a scalar; a list is judged by the rules of services."""
        return self.kind == "list" or not isinstance(value, list | dict | set | None)


Schema = dict[str, dict[str, Variable]]


def read(specs: Mapping[str, Any]) -> Schema:
    """The variables by prefix (cluster, node, platform) and name.

    :param specs: the content of key `argument_specs` of role fleet.
    """
    return {
        prefix: {name: _variable(name, option) for name, option in specs[prefix]["options"].items()}
        for prefix in ("cluster", "node", "platform")
    }


def plain(text: str) -> str:
    """A description without Ansible's markup."""
    return re.sub(r"\b[CVO]\(([^)]*)\)", r"\1", text)


def _variable(name: str, option: Mapping[str, Any]) -> Variable:
    kinds = {"bool": "switch", "int": "number", "list": "list", "str": "text"}
    kind = "choice" if "choices" in option else FORMATS.get(name, kinds[option["type"]])
    text = plain(option["description"][0]).rstrip(".")
    return Variable(
        kind=kind,
        about=text[0].lower() + text[1:] if text[1].islower() else text,
        default=None if option.get("required") else option["default"],
        choices=tuple(option.get("choices", ())),
        most=LARGEST.get(name, 0),
        renamed=RENAMED.get(name, {}),
    )
