# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a fleet has at Hetzner Cloud besides its servers. Pure.

A firewall there filters only the public interface of a server: traffic between the nodes of a cluster uses the
unfiltered private network (https://docs.hetzner.com/cloud/firewalls/faq/).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ..cloud.ports import ANYONE, CLUSTER, MESH, OPERATORS, PORTS
from ..fleet.rules.addresses import halves

LABEL = "opendata.platform"
EVERYWHERE = ["0.0.0.0/0", "::/0"]
# Seconds and attempts, the defaults of the Cloud Console.
CHECK = {"protocol": "tcp", "interval": 15, "timeout": 10, "retries": 3}
# Values of the label "role": servers and targets of load balancers already carry these words.
ROLES = {"control_plane": "server", "worker": "agent"}
Record = dict[str, Any]


def labels(fleet: str, **more: str) -> dict[str, str]:
    """Labels of an owned resource: labels("prd", cluster="hz") -> {"opendata.platform/fleet": "prd", …}."""
    if "role" in more:
        more["role"] = ROLES[more["role"]]
    return {f"{LABEL}/{name}": value for name, value in {"fleet": fleet, **more}.items()}


def carries(thing: Record, wanted: dict[str, str]) -> bool:
    """Whether a resource has these labels."""
    return all(thing["labels"].get(name) == value for name, value in wanted.items())


def selector(wanted: dict[str, str]) -> str:
    """The label selector for these labels."""
    return ",".join(f"{name}={value}" for name, value in wanted.items())


def subnets(net: str) -> list[str]:
    """The subnet of the servers and that of the load balancers."""
    return [str(half) for half in halves(ipaddress.ip_network(net))]


def clusters(fleet: Record) -> list[str]:
    """Names of the clusters with nodes at Hetzner Cloud."""
    return sorted({node["cluster"] for node in fleet["nodes"].values() if node["machine"] == "hcloud"})


def firewall_rules(fleet: Record, name: str, operators: list[str], servers: Iterable[Record]) -> list[Record]:
    """The rules of a cluster's firewall, in the form of module hetzner.hcloud.firewall.

    :param operators: networks that may reach SSH and the API server.
    :param servers: the fleet's servers, as module hetzner.hcloud.server_info returns them.
    """
    members = [one for one in servers if one["labels"].get(f"{LABEL}/cluster") == name]
    sources = {
        OPERATORS: operators,
        ANYONE: EVERYWHERE if fleet["platform"]["gateway"] else [],
        # Nodes elsewhere: those at Hetzner Cloud reach each other in the private network.
        MESH: [node["address"] for node in _elsewhere(fleet, name)],
        # They reach the API server by its public name.
        CLUSTER: [one["ipv4_address"] for one in members if one["ipv4_address"]],
    }
    rules = []
    for port in PORTS:
        if not {OPERATORS, ANYONE, MESH} & set(port.sources):
            continue
        found = {_network(each) for who in port.sources for each in sources.get(who, [])}
        if found:
            ordered = [str(net) for net in sorted(found, key=lambda net: (net.version, net))]
            rules.append(
                {
                    "description": f"{port.name}: {port.why}",
                    "direction": "in",
                    "protocol": port.protocol,
                    "port": port.port or None,
                    "source_ips": ordered,
                    "destination_ips": [],
                }
            )
    return rules


def balancers(fleet: Record, prefix: str) -> list[Record]:
    """The load balancers: one for the API server of a cluster with several control plane nodes, one for each Gateway.

    The Gateway's requires Cilium's proxy on the host network (gatewayAPI.hostNetwork).
    """
    found = []
    for name in clusters(fleet):
        members = fleet["clusters"][name]
        wanted = [("api", "control_plane", [6443])] if len(members["control_planes"]) > 1 else []
        wanted += [("gateway", "", [80, 443])] if fleet["platform"]["gateway"] else []
        for use, role, ports in wanted:
            targets = labels(fleet["name"], cluster=name, **({"role": role} if role else {}))
            found.append(
                {
                    "name": f"{prefix}-{name}-{use}",
                    "cluster": name,
                    "use": use,
                    "first": members["control_planes"][0],
                    "labels": labels(fleet["name"], cluster=name, use=use),
                    "targets": selector(targets),
                    "ports": ports,
                }
            )
    return found


def services(wanted: list[Record], there: list[Record]) -> list[Record]:
    """The ports of load balancers; the check only for new ones, because the module would reset it in every run.

    :param wanted: the result of :func:`balancers`.
    :param there: as module hetzner.hcloud.load_balancer_info returns them.
    """
    served = {(one["name"], service["listen_port"]) for one in there for service in one["services"]}
    return [
        {
            "balancer": one["name"],
            "port": port,
            "check": {} if (one["name"], port) in served else {**CHECK, "port": port},
        }
        for one in wanted
        for port in one["ports"]
    ]


def _elsewhere(fleet: Record, name: str) -> list[Record]:
    """Nodes of the cluster's mesh that are not at Hetzner Cloud."""
    mesh = fleet["mesh"] if name in fleet["mesh"] else []
    return [node for node in fleet["nodes"].values() if node["machine"] != "hcloud" and node["cluster"] in mesh]


def _network(value: str) -> Any:
    return ipaddress.ip_network(value, strict=False)
