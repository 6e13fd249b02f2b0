# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What clusters of kind share: one container engine, and the ports of this host. Pure."""

from __future__ import annotations

from typing import Any

from ...container_engine.output import ENGINES
from ...findings import Findings, did_you_mean
from ..schema import Inventory

ENGINE = "cluster_kind_engine"
PORTS = ("cluster_kind_http_port", "cluster_kind_https_port")


def engine(inventory: Inventory, record: dict[str, Any]) -> str:
    """The container engine of the fleet; empty where no cluster is of kind."""
    return next((str(_value(inventory, name, ENGINE)) for name in _clusters(record)), "")


def clusters(inventory: Inventory, record: dict[str, Any], findings: Findings) -> None:
    """All of them are on one engine, and no two have one port of the host."""
    owners: dict[int, tuple[str, str]] = {}
    for name in _clusters(record):
        chosen = _value(inventory, name, ENGINE)
        if chosen not in ENGINES:
            findings.error(name, ENGINE, f"'{chosen}' is no container engine", did_you_mean(str(chosen), ENGINES))
        elif chosen != engine(inventory, record):
            problem = f"{chosen} is another engine than that of {_clusters(record)[0]}"
            findings.error(name, ENGINE, problem, "Use one for all clusters of kind: they share a network.")
        for variable in PORTS:
            port = _value(inventory, name, variable)
            if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 65536:
                findings.error(name, variable, f"'{port}' is no port", "Write a number from 1 to 65535, or 0 for none.")
            elif port and port in owners:
                other = "{1} of {0}".format(*owners[port])
                findings.error(name, variable, f"{port} is already {other}", "Give each its own, or 0 for none.")
            elif port:
                owners[port] = (name, variable)
        servers, workers = (_value(inventory, name, f"cluster_kind_{part}") for part in ("control_planes", "workers"))
        if servers != 1 and workers == 0:
            problem = f"0 beside {servers} control planes, of which kind lets only a single one run pods"
            findings.error(name, "cluster_kind_workers", problem, "Add a worker, or use 1 control plane.")


def _clusters(record: dict[str, Any]) -> list[str]:
    return [name for name, cluster in record["clusters"].items() if cluster["provider"] == "kind"]


def _value(inventory: Inventory, name: str, variable: str) -> Any:
    """A variable of role cluster_kind, or the role's default."""
    return inventory.clusters[name].get(variable, inventory.roles.get("cluster_kind", {}).get(variable))
