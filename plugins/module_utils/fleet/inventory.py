# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""An inventory as the rules see it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..service.declaration import ServiceRole
from .schema import Schema

Variables = dict[str, Any]


@dataclass(frozen=True)
class Inventory:
    """The variables of all hosts, and what is needed to check them.

    directory: the directory of the inventory; its name is the name of the fleet.
    cache: the directory of artifacts that all fleets of a user share.
    clusters, nodes: the variables of each host of the group, by host name.
    common: platform_* variables, which are the same on every host.
    schema: the variables that describe a fleet, by prefix; see schema.read.
    files: the text of each inventory file, by path; only to report where a variable is set.
    roles: the options of each role with their defaults, {"cilium": {"cilium_values": {}}}.
    services: roles that cluster_services may name, by that name; those of this collection by their short names.
    known_hosts: the file with the host keys of existing hosts; one in the state directory when empty.
    """

    directory: str
    cache: str
    clusters: dict[str, Variables]
    nodes: dict[str, Variables]
    common: Variables
    schema: Schema
    files: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Variables] = field(default_factory=dict)
    services: dict[str, ServiceRole] = field(default_factory=dict)
    known_hosts: str = ""

    def of_cluster(self, name: str, role: str, variable: str) -> Any:
        """A role's variable as the cluster sets it, or the role's default."""
        return self.clusters[name].get(variable, self.roles.get(role, {}).get(variable))

    def of_node(self, name: str, role: str, variable: str) -> Any:
        """A role's variable as the node sets it, or the role's default."""
        return self.nodes[name].get(variable, self.roles.get(role, {}).get(variable))
