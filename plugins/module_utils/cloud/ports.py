# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The ports that must be open to the nodes of a cluster, and to whom. Pure.

One table for the firewall of each cloud and for its page in docs/. The rows of the mesh are those of Cilium's system
requirements (Documentation/operations/system_requirements.rst); the rows inside a cluster those of
https://kubernetes.io/docs/reference/networking/ports-and-protocols/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OPERATORS = "operators"
ANYONE = "anyone"
MESH = "nodes of the mesh"
CLUSTER = "nodes of the cluster"
SERVERS = "servers of the cluster"

# Who each of them is, as the pages say it.
WHO = {
    OPERATORS: "the controller and whoever runs kubectl",
    ANYONE: "who uses the services",
    MESH: "every node of this cluster and of each cluster of its mesh",
    CLUSTER: "every node of this cluster",
    SERVERS: "the servers of this cluster, and only to its servers",
}


@dataclass(frozen=True)
class Port:
    """One thing to let in.

    protocol: tcp, udp, icmp or esp.
    port: a number, a range such as "2379-2380", or "" for a protocol without ports.
    sources: from whom, one of WHO each.
    """

    name: str
    protocol: str
    port: str
    sources: tuple[str, ...]
    why: str


PORTS = (
    Port("ssh", "tcp", "22", (OPERATORS,), "Ansible and ./odp ssh"),
    Port("api", "tcp", "6443", (OPERATORS, CLUSTER), "Kubernetes' API, on servers"),
    Port("http", "tcp", "80", (ANYONE,), "Gateway"),
    Port("https", "tcp", "443", (ANYONE,), "Gateway"),
    Port("vxlan", "udp", "8472", (MESH,), "Cilium's tunnel, VXLAN"),
    Port("geneve", "udp", "6081", (MESH,), "Cilium's tunnel, Geneve"),
    Port("wireguard", "udp", "51871", (MESH,), "Cilium's encryption, WireGuard"),
    Port("ipsec", "esp", "", (MESH,), "Cilium's encryption, IPsec"),
    Port("health", "tcp", "4240", (MESH,), "Cilium's health checks"),
    Port("ping", "icmp", "", (MESH,), "Cilium's health checks"),
    Port("hubble", "tcp", "4244", (MESH,), "Hubble"),
    Port("clustermesh", "tcp", "2379", (MESH,), "clustermesh-apiserver by ClusterIP or load balancer"),
    Port("clustermesh-node", "tcp", "32379", (MESH,), "clustermesh-apiserver by NodePort"),
    Port("kubelet", "tcp", "10250", (CLUSTER,), "logs, exec and metrics of the kubelet"),
    Port("etcd", "tcp", "2379-2380", (SERVERS,), "etcd, on servers"),
)


def port_table(ports: Iterable[Port] = PORTS) -> str:
    """The rows as a table in Markdown, in the order given, ending with a newline."""
    rows = [(one.name, one.protocol, one.port or "-", " and ".join(one.sources), one.why) for one in ports]
    lines = [("name", "protocol", "port", "from", "for"), ("---",) * 5, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
