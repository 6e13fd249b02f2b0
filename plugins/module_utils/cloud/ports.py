# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The ports that must be open on the nodes of a cluster, and to whom. Pure.

The table of the clouds' firewalls and of their pages in docs/. The rows of the mesh are from Cilium's requirements
(Documentation/operations/system_requirements.rst); the rows inside a cluster from
https://kubernetes.io/docs/reference/networking/ports-and-protocols/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OPERATORS = "operators"
ANYONE = "anyone"
MESH = "nodes of the mesh"
CLUSTER = "nodes of the cluster"
CONTROL_PLANES = "control plane nodes of the cluster"
SOURCES = (OPERATORS, ANYONE, MESH, CLUSTER, CONTROL_PLANES)


@dataclass(frozen=True)
class Port:
    """One port to open.

    protocol: tcp, udp, icmp or esp.
    port: a number, a range such as "2379-2380", or "" for a protocol without ports.
    sources: from whom, each one of SOURCES.
    """

    name: str
    protocol: str
    port: str
    sources: tuple[str, ...]
    why: str


PORTS = (
    Port("ssh", "tcp", "22", (OPERATORS,), "Ansible and ./odp ssh"),
    Port("api", "tcp", "6443", (OPERATORS, CLUSTER), "Kubernetes API server, on control plane nodes"),
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
    Port("etcd", "tcp", "2379-2380", (CONTROL_PLANES,), "etcd, on control plane nodes"),
)


def port_table(ports: Iterable[Port] = PORTS) -> str:
    """The rows as a Markdown table."""
    rows = [(one.name, one.protocol, one.port or "-", " and ".join(one.sources), one.why) for one in ports]
    lines = [("name", "protocol", "port", "from", "for"), ("---",) * 5, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
