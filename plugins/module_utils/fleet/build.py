# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Builds the fleet record from an inventory, and checks it. Pure."""

from __future__ import annotations

import posixpath
from typing import Any, cast

from ..findings import Finding, Findings
from . import proxy
from .cidr import split_endpoint
from .record import ClusterRecord, FleetRecord, Inventory, NodeRecord, PlatformRecord, Variables
from .rules import addresses, general, providers, services
from .schema import API_PORT, CONTROL_PLANE, ROLES, WORKER, Schema

# They may hold a password and are read where they are needed.
_SECRET = {"http_proxy", "https_proxy"}


def describe(inventory: Inventory) -> tuple[FleetRecord, list[Finding]]:
    """The fleet record and all findings, in a stable order. The record is only valid when none of them is an error."""
    record = make_record(inventory)
    findings = Findings(inventory.files)
    general.names(record, findings)
    general.known_variables(inventory, findings)
    general.values(inventory, record, findings)
    general.membership(record, findings)
    general.mesh(record, findings)
    addresses.addresses(inventory, record, findings)
    addresses.servers(inventory, record, findings)
    addresses.ranges(inventory, record, findings)
    addresses.reach(record, findings)
    services.services(inventory, record, findings)
    providers.k3s(inventory, record, findings)
    providers.existing(inventory, record, findings)
    providers.kind(inventory, record, findings)
    general.role_values(inventory, findings)
    bridges = [net for net in addresses.machine_networks(inventory, record).values() if net]
    record["host_address"] = str(bridges[0][1]) if bridges else ""
    record["engine"] = providers.engine(inventory, record)
    for name, cluster in record["clusters"].items():
        cluster["no_proxy"] = proxy.no_proxy(record, name)
    return record, findings.sorted()


def make_record(inventory: Inventory) -> FleetRecord:
    """The inventory with every default filled in; what the rules find out is still empty."""
    name, state = posixpath.basename(inventory.directory), posixpath.join(inventory.directory, ".state")
    nodes = {
        node: cast(NodeRecord, {"name": node, **_filled(inventory.schema, "node", own)})
        for node, own in sorted(inventory.nodes.items())
    }
    platform = _filled(inventory.schema, "platform", inventory.common)
    record = FleetRecord(
        name=name,
        directory=inventory.directory,
        state=state,
        cache=inventory.cache,
        known_hosts=inventory.known_hosts or posixpath.join(state, "ssh/existing_known_hosts"),
        platform=cast(PlatformRecord, {key: value for key, value in platform.items() if key not in _SECRET}),
        clusters={cluster: _cluster(inventory, cluster, nodes, state) for cluster in sorted(inventory.clusters)},
        nodes=nodes,
        mesh=[],
        host_address="",
        engine="",
    )
    record["mesh"] = [each for each, cluster in record["clusters"].items() if cluster["id"] and cluster["cilium"]]
    encrypted = addresses.encrypted(record)
    for each, cluster in record["clusters"].items():
        cluster["encrypted"] = each in encrypted
        cluster["tree_path"] = f"./clusters/{name}/{each}" if platform["source"] == "git" else "."
    return record


def _filled(schema: Schema, prefix: str, own: Variables) -> Variables:
    """The values of one prefix without it; what is unset and has no default is an empty string."""
    values = {}
    for name, spec in schema[prefix].items():
        default = "" if spec.default is None else spec.default
        value = own.get(name, default)
        # A value of a wrong type is one finding too, and rules need not expect any.
        value = value if spec.fits(value) else default
        # A renamed value is one finding, not another one for each of its consequences.
        values[name.removeprefix(f"{prefix}_")] = spec.renamed.get(value, value) if isinstance(value, str) else value
    return values


def _kubernetes(inventory: Inventory, own: Variables, values: Variables) -> str:
    """The wanted version of a cluster: its own, or that of the platform; none of an existing cluster."""
    given = own.get(general.VERSIONS)
    versions = given if given and isinstance(given, dict) else inventory.value({}, "artifacts", general.VERSIONS) or {}
    distribution = {"k3s": "k3s", "existing": ""}.get(values["provider"], "kubernetes")
    return str(values["kubernetes"] or versions.get(distribution, ""))


def _cluster(inventory: Inventory, name: str, nodes: dict[str, NodeRecord], state: str) -> ClusterRecord:
    """One cluster: its variables, its members by role, and where its API server is reached."""
    own = inventory.clusters[name]
    values = _filled(inventory.schema, "cluster", own)
    members: dict[str, list[str]] = {
        role: [node["name"] for node in nodes.values() if node["cluster"] == name and node["role"] == role]
        for role in ROLES
    }
    first = values["virtual_address"] or next((nodes[node]["address"] for node in members[CONTROL_PLANE]), "")
    endpoint = values["endpoint"] or (f"{first}:{API_PORT}" if first else "")
    # k3s has a load balancer on each node, and nodes of kind resolve the name of the first one.
    inside = {"k3s": "127.0.0.1:6444", "kind": f"{name}-control-plane:{API_PORT}"}
    host, port = split_endpoint(inside.get(values["provider"], endpoint))
    found: dict[str, Any] = {
        "name": name,
        **values,
        "kubernetes": _kubernetes(inventory, own, values),
        "cilium": providers.brings_cilium(own),
        "endpoint": endpoint,
        "api_host": host,
        "api_port": port,
        "kubeconfig": posixpath.join(state, "kubeconfigs", name),
        "uid_file": posixpath.join(state, "clusters", name, "uid"),
        "control_planes": members[CONTROL_PLANE],
        "workers": members[WORKER],
        "nodes": members[CONTROL_PLANE] + members[WORKER],
        "service_roles": [],
    }
    return cast(ClusterRecord, found)
