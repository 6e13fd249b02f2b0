# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From an inventory to the fleet record and the findings against it. Pure."""

from __future__ import annotations

import posixpath
from typing import Any

from ..findings import Finding, Findings
from . import proxy
from .known_hosts import KNOWN_HOSTS
from .rules import addresses, hcloud, kind, networks
from .rules import general as checks
from .rules.existing import brings_cilium, existing
from .rules.k3s import k3s
from .rules.services import services
from .schema import (
    API_PORT,
    CLUSTER,
    CONTROL_PLANE,
    NODE,
    PLATFORM,
    ROLES,
    WORKER,
    Inventory,
    Variable,
    Variables,
)


def describe(inventory: Inventory) -> tuple[dict[str, Any], list[Finding]]:
    """The fleet record and all findings, in a stable order. The record is only sound without errors among them."""
    record = make_record(inventory)
    findings = Findings(inventory.files)
    checks.names(record, findings)
    checks.known_variables(inventory, findings)
    checks.values(inventory, record, findings)
    checks.membership(record, findings)
    checks.mesh(record, findings)
    addresses.addresses(inventory, record, findings)
    hcloud.machines(inventory, record, findings)
    addresses.ranges(inventory, record, findings)
    networks.reach(record, findings)
    k3s(inventory, record, findings)
    services(inventory, record, findings)
    existing(inventory, record, findings)
    kind.clusters(inventory, record, findings)
    bridges = [net for net in addresses.machine_networks(inventory, record).values() if net]
    record["host_address"] = str(bridges[0][1]) if bridges else ""
    record["engine"] = kind.engine(inventory, record)
    for name, cluster in record["clusters"].items():
        cluster["no_proxy"] = proxy.no_proxy(record, name)
    return record, findings.sorted()


def make_record(inventory: Inventory) -> dict[str, Any]:
    """The inventory with every default filled in, as every play reads it."""
    state = posixpath.join(inventory.directory, ".state")
    nodes = {name: {"name": name, **_filled(NODE, "node", own)} for name, own in sorted(inventory.nodes.items())}
    record = {
        "name": posixpath.basename(inventory.directory),
        "directory": inventory.directory,
        "state": state,
        "cache": inventory.cache,
        "known_hosts": inventory.known_hosts or posixpath.join(state, "ssh", KNOWN_HOSTS),
        "platform": _filled(PLATFORM, "platform", inventory.common),
        "clusters": {
            name: _cluster(name, _filled(CLUSTER, "cluster", own), nodes, state)
            | {"kubernetes": _kubernetes(inventory, own), "cilium": brings_cilium(own)}
            for name, own in sorted(inventory.clusters.items())
        },
        "nodes": nodes,
        "mesh": [
            name for name, own in sorted(inventory.clusters.items()) if own.get("cluster_id") and brings_cilium(own)
        ],
    }
    encrypted = networks.encrypted(record)
    for name, cluster in record["clusters"].items():
        cluster["encrypted"] = name in encrypted
    # Everything shows the record; these may hold a password, and are read where they are needed.
    for secret in ("http_proxy", "https_proxy"):
        del record["platform"][secret]
    return record


def _filled(schema: dict[str, Variable], prefix: str, own: Variables) -> Variables:
    """The values of one schema without their prefix; what is unset and has no default is an empty string."""
    values = {name: own.get(name, "" if spec.default is None else spec.default) for name, spec in schema.items()}
    # Refused by the rules, which should not report what only follows from an old word.
    values |= {name: spec.renamed.get(str(values[name]), values[name]) for name, spec in schema.items() if spec.renamed}
    return {name.removeprefix(f"{prefix}_"): value for name, value in values.items()}


def _kubernetes(inventory: Inventory, own: Variables) -> str:
    """The version that a cluster is wanted in; the platform's own where it does not say, none of one that exists."""
    versions = own.get("artifacts_versions") or inventory.roles.get("artifacts", {}).get("artifacts_versions") or {}
    distribution = {"k3s": "k3s", "existing": ""}.get(own.get("cluster_provider", ""), "kubernetes")
    return own.get("cluster_kubernetes") or versions.get(distribution, "")


def _cluster(name: str, values: Variables, nodes: dict[str, Variables], state: str) -> Variables:
    """One cluster of the record: its values, its members by role, and where its API answers."""
    members = {
        role: [node["name"] for node in nodes.values() if node["cluster"] == name and node["role"] == role]
        for role in ROLES
    }
    first = values["virtual_address"] or (nodes[members[CONTROL_PLANE][0]]["address"] if members[CONTROL_PLANE] else "")
    endpoint = values["endpoint"] or (f"{first}:{API_PORT}" if first else "")
    # Where Cilium finds the API from any node: k3s has a load balancer on each, kind's nodes know the first by name.
    inside = {"k3s": "127.0.0.1:6444", "kind": f"{name}-control-plane:{API_PORT}"}
    host, port = checks.split_endpoint(inside.get(values["provider"], endpoint))
    return {
        "name": name,
        **values,
        "endpoint": endpoint,
        "api_host": host,
        "api_port": port,
        "kubeconfig": posixpath.join(state, "kubeconfigs", name),
        "uid_file": posixpath.join(state, "clusters", name, "uid"),
        "control_planes": members[CONTROL_PLANE],
        "workers": members[WORKER],
        "nodes": members[CONTROL_PLANE] + members[WORKER],
    }
