# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Rules for names, values and memberships. Each adds findings. Pure."""

from __future__ import annotations

import itertools
import re
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import (
    AnsibleValidationError,
    ArgumentValueError,
    RequiredError,
    UnsupportedError,
)

from ...findings import Findings, did_you_mean
from ...service.declaration import is_of_ansible
from ...service.schema import holds
from ..cidr import address_of, network, split_endpoint, suggestion
from ..record import FleetRecord, Inventory, Variables
from ..schema import ON_NODES, WITHOUT_NODES, Variable

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
CLUSTER_NAME, NODE_NAME = 32, 63
# Facts that roles set earlier in the run.
FACTS = ("node_facts", "node_planned")
VERSIONS = "artifacts_versions"
TYPES = {"bool": "true or false", "dict": "a mapping", "float": "a number", "int": "an integer", "list": "a list"}


def names(record: FleetRecord, findings: Findings) -> None:
    """Names become host names, unit names, file names: RFC 1123 labels of limited length."""
    limits = [(name, "cluster", CLUSTER_NAME) for name in record["clusters"]]
    limits += [(name, "node", NODE_NAME) for name in record["nodes"]]
    for name, kind, limit in [*limits, (record["name"], "fleet", CLUSTER_NAME)]:
        if len(name) > limit or not LABEL.fullmatch(name):
            problem = f"'{name}' is not a valid name of a {kind}"
            findings.error(name, "", problem, f"Use at most {limit} characters a-z, 0-9 and '-', not '-' at an end.")
    for name in sorted(set(record["clusters"]) & set(record["nodes"])):
        findings.error(name, "", "is in group clusters and in group nodes", "Give the node another name.")
    if not record["clusters"]:
        findings.error("clusters", "", "the group is empty", "Add a cluster to group 'clusters' of the inventory.")


def known_variables(inventory: Inventory, findings: Findings) -> None:
    """A variable with the prefix of the schema or of a role must be one of theirs: a misspelt one would be ignored."""
    options = {option for role in inventory.roles.values() for option in role}
    known = options.union(*inventory.schema.values())
    passed = known.union(FACTS)
    prefixes = tuple(f"{word}_" for word in (*inventory.schema, *inventory.roles))
    hosts = {**inventory.clusters, **inventory.nodes}
    for host, name in ((host, name) for host, own in hosts.items() for name in own):
        if name.startswith(prefixes) and name not in passed and not is_of_ansible(name):
            step = did_you_mean(name, (word for word in known if _prefix(word, prefixes) == _prefix(name, prefixes)))
            findings.error(host, name, "is not a variable of this collection", step)


def _prefix(name: str, prefixes: tuple[str, ...]) -> str:
    """The longest matching prefix: that of a role may start with one of the schema."""
    return max((one for one in prefixes if name.startswith(one)), key=len, default="")


def values(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """Every variable of the schema is set if it is required, and its value is valid."""
    owners = [(host, own, "cluster") for host, own in inventory.clusters.items()]
    owners += [(host, own, "node") for host, own in inventory.nodes.items()]
    owners += [(record["name"], inventory.common, "platform")]
    for host, own, prefix in owners:
        for name, spec in inventory.schema[prefix].items():
            value = own.get(name, spec.default)
            if value is None or (value == "" and spec.default is None):
                findings.error(host, "", f"{name} is not set: {spec.about}", f"Set {name} for {host}.")
            elif value != spec.default:
                _value(host, name, value, spec, findings)
    for name, own in inventory.clusters.items():
        if own.get(VERSIONS) and not isinstance(own[VERSIONS], dict):
            findings.error(name, VERSIONS, "is not a mapping", "Write one such as {kubernetes: v1.36.3}.")


def role_values(inventory: Inventory, findings: Findings) -> None:
    """A role's variable is what its argument specs say, which Ansible finds in a later stage only. The last rule.

    A value that many hosts have is reported once, and none that another rule judges, in better words.
    """
    judged = findings.variables() | set().union(*inventory.schema.values())
    reported = set()
    for host, own in {**inventory.clusters, **inventory.nodes}.items():
        for role, options in inventory.options.items():
            for name in (own.keys() & options.keys()) - judged:
                found = _faults(name, own[name], options[name], f"Its description: ansible-doc -t role {role}")
                if found and (name, repr(own[name])) not in reported:
                    reported.add((name, repr(own[name])))
                    for problem, step in found:
                        findings.error(host, name, problem, step)


def _faults(name: str, value: Any, option: Variables, documentation: str) -> list[tuple[str, str]]:
    """Problem and next step of each fault; the value is only shown where there is a list of choices."""
    whole = {key: each for key, each in option.items() if key not in ("elements", "options")}
    for error in _errors(name, value, whole):
        if isinstance(error, ArgumentValueError):
            return [(f"'{value}' is unknown", did_you_mean(str(value), map(str, option["choices"])))]
        wanted = TYPES.get(option["type"], f"a value of type {option['type']}")
        return [(f"is not {wanted}", f"Set it to {wanted}.")]
    named = (RequiredError, UnsupportedError)
    problems = [
        f"is not valid: {error.msg}" if isinstance(error, named) else "contains a value of the wrong type"
        for error in _errors(name, value, option)
    ]
    return [(problem, documentation) for problem in problems]


def _errors(name: str, value: Any, option: Variables) -> list[AnsibleValidationError]:
    try:
        found: list[AnsibleValidationError] = (
            ArgumentSpecValidator({name: option}).validate({name: value}).errors.errors
        )
    except (AttributeError, TypeError):
        # The argument specs of another collection may be malformed: Ansible says so when it runs the role.
        return []
    return found


def _value(host: str, name: str, value: Any, spec: Variable, findings: Findings) -> None:
    """A value that is not the default."""
    # What stands before an @ may be a password, also in a URL that is not valid.
    shown = re.sub(r"(?s)^([a-z]{2,5}://)?.*@", r"\1...@", str(value))
    problem = f"'{shown}' is not valid: {spec.about}"
    if not spec.fits(value):
        # Not shown: it may hold a password.
        findings.error(host, name, f"is not a single value: {spec.about}", "Write no list or mapping.")
    elif isinstance(value, str) and value in spec.renamed:
        new = spec.renamed[value]
        findings.error(host, name, f"'{value}' is now called {new}", f"Write {name}: {new}.")
    elif spec.kind == "choice" and value not in spec.choices:
        findings.error(host, name, f"'{shown}' is unknown: {spec.about}", did_you_mean(str(value), spec.choices))
    elif spec.kind == "network" and not network(value):
        findings.error(host, name, f"'{shown}' is not a network", suggestion(value))
    elif spec.kind == "address" and not address_of(value):
        findings.error(host, name, problem, "Write an IP address such as 10.77.0.11.")
    elif spec.kind == "endpoint" and not split_endpoint(value)[1]:
        findings.error(host, name, problem, "Write host:port, such as api.example.org:6443.")
    elif spec.kind == "version" and not re.fullmatch(r"v1\.\d+\.\d+(\+\w+)?", str(value)):
        findings.error(host, name, problem, "Write a version such as v1.36.3.")
    elif spec.kind == "number" and not (holds(value, int) and 1 <= value <= spec.most):
        findings.error(host, name, problem, f"Write a number from 1 to {spec.most}.")
    elif spec.kind == "switch" and not isinstance(value, bool):
        findings.error(host, name, problem, "Write true or false.")
    elif spec.kind == "url" and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", str(value)):
        findings.error(host, name, problem, "Write a URL such as http://10.77.0.1:5000.")


def membership(record: FleetRecord, findings: Findings) -> None:
    """Every node has a cluster of a provider with nodes, which has control plane nodes and one reachable API."""
    for node in record["nodes"].values():
        if node["cluster"] and node["cluster"] not in record["clusters"]:
            step = did_you_mean(str(node["cluster"]), record["clusters"])
            findings.error(node["name"], "node_cluster", f"there is no cluster '{node['cluster']}'", step)
    for cluster in record["clusters"].values():
        planes = cluster["control_planes"]
        if cluster["provider"] in WITHOUT_NODES:
            for name in cluster["nodes"]:
                problem = f"{cluster['name']} has provider {cluster['provider']}, which has no hosts in group nodes"
                findings.error(name, "node_cluster", problem, f"Use {' or '.join(ON_NODES)}, or remove the node.")
        elif not planes:
            step = f"Add a node with node_cluster: {cluster['name']} and node_role: control_plane."
            findings.error(cluster["name"], "", "has no control plane node", step)
        elif len(planes) > 1 and cluster["api_host"] == record["nodes"][planes[0]]["address"]:
            reached = f"is reached through the first only, {planes[0]}"
            problem = f"the API server of {len(planes)} control plane nodes {reached}"
            step = "Set cluster_virtual_address to a free address in their network, "
            step += "or cluster_endpoint to a load balancer."
            findings.error(cluster["name"], "", problem, step)
        elif len(planes) % 2 == 0:
            listed, fewer = ", ".join(planes), len(planes) - 1
            problem = f"{len(planes)} control plane nodes ({listed}) survive no more failures than {fewer} would"
            findings.warning(cluster["name"], "", problem, "Use 1, 3 or 5: etcd needs a majority.")


def mesh(record: FleetRecord, findings: Findings) -> None:
    """Every cluster of the mesh has its own cluster ID."""
    numbered = [cluster for cluster in record["clusters"].values() if cluster["id"]]
    for first, second in itertools.combinations(numbered, 2):
        if first["id"] == second["id"]:
            problem = f"{second['id']} is already the ID of {first['name']}"
            findings.error(second["name"], "cluster_id", problem, "Give each cluster of the mesh its own ID.")
