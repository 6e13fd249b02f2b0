# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a given cluster is, what the inventory wants of it, and what may be wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .api_endpoint import Api


class Finding(NamedTuple):
    """What is wrong, where that was seen, what to do; what is no error works, but should be known."""

    error: bool
    problem: str
    where: str
    step: str

    def sentence(self, name: str) -> str:
        """The finding for people, with the cluster's name."""
        return f"{name}: {self.problem} ({self.where}). {self.step}"


@dataclass(frozen=True)
class State:
    """What the API of a given cluster says.

    cilium: what `_cilium_client.found` returns, None if there is none. service_ranges: those of the ServiceCIDRs,
    else the address of Service default/kubernetes alone. api: where Cilium will find the API.
    """

    kubernetes: str
    nodes: list[dict[str, Any]]
    daemon_sets: list[dict[str, Any]]
    proxy_pods: list[dict[str, Any]]
    crds: list[str]
    service_ranges: list[str]
    cilium: dict[str, Any] | None
    api: Api


@dataclass(frozen=True)
class Wanted:
    """What the inventory wants. cilium: whether the platform brings the network, by Cilium of that version."""

    cilium: bool
    cilium_version: str
    pod_cidr: str
    service_cidr: str
    server: str
