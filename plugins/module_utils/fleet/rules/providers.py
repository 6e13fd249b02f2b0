# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Rules for what clusters of one provider set. Each adds findings. Pure."""

from __future__ import annotations

import re
from typing import Any

from ...container_engine.cli import ENGINES
from ...findings import Findings, did_you_mean
from ...k3s.state import S3
from ..record import FleetRecord, Inventory, Variables

EXISTING, CILIUM = "existing", "cilium_enabled"
KUBECONFIG, CONTEXT = "cluster_existing_kubeconfig", "cluster_existing_context"
ENGINE = "cluster_kind_engine"
PORTS = ("cluster_kind_http_port", "cluster_kind_https_port")


def brings_cilium(own: Variables) -> bool:
    """Whether this collection installs the network of a cluster with these variables."""
    return own.get(CILIUM, True) is not False


def existing(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """An existing cluster has a kubeconfig. Only it may keep its own network, and then it is not in the mesh."""
    for name, cluster in record["clusters"].items():
        own = inventory.clusters[name]
        if cluster["provider"] == EXISTING and not own.get(KUBECONFIG):
            step = f"Set {KUBECONFIG} to the path of its kubeconfig."
            findings.error(name, "", f"{KUBECONFIG} is not set, which provider existing requires", step)
        for variable in (KUBECONFIG, CONTEXT) if cluster["provider"] == EXISTING else ():
            if not isinstance(own.get(variable) or "", str):
                findings.error(name, variable, "is not a string", "Set it to a string.")
        if not isinstance(own.get(CILIUM, True), bool):
            problem = f"'{own[CILIUM]}' is not valid: whether the network is installed by this collection"
            findings.error(name, CILIUM, problem, "Write true or false.")
        if cluster["cilium"]:
            continue
        if cluster["id"]:
            step = f"Remove cluster_id, or set {CILIUM}: true."
            findings.error(name, "cluster_id", f"the mesh requires Cilium, but {CILIUM} is false", step)
        if cluster["provider"] != EXISTING:
            problem = f"provider {cluster['provider']} creates clusters without a network"
            findings.error(name, CILIUM, problem, "Remove it; only existing clusters may keep their own network.")


def k3s(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """The version is one of k3s, a binary has a digest, and snapshots have a bucket; the same fault once a cluster."""
    for cluster in record["clusters"].values():
        if cluster["provider"] != "k3s":
            continue
        if not re.fullmatch(r"v1\.\d+\.\d+\+k3s\d+", cluster["kubernetes"]):
            problem = f"'{cluster['kubernetes']}' is not a version of k3s"
            findings.error(cluster["name"], "cluster_kubernetes", problem, "Write one such as v1.36.4+k3s1.")
        checked: list[Variables] = []
        for node in cluster["nodes"]:
            own = {name: value for name, value in inventory.nodes[node].items() if name.startswith("cluster_k3s_")}
            if own not in checked:
                checked.append(own)
                _k3s_binary(node, own, findings)
                _k3s_s3(node, own.get("cluster_k3s_s3", {}), findings)


def _k3s_binary(node: str, own: Variables, findings: Findings) -> None:
    binary = own.get("cluster_k3s_binary")
    if binary and not re.fullmatch("[0-9a-f]{64}", str(own.get("cluster_k3s_sha256", ""))):
        problem = f"'{binary}' has no cluster_k3s_sha256 of 64 digits 0-9 and a-f"
        findings.error(node, "cluster_k3s_binary", problem, "Copy it from sha256sum-amd64.txt of the release.")


def _k3s_s3(node: str, settings: Any, findings: Findings) -> None:
    """Only keys that k3s knows. Values may be secret and are not shown."""
    if not isinstance(settings, dict):
        findings.error(node, "cluster_k3s_s3", "is not a mapping", "Write {bucket: …, endpoint: …}.")
        return
    for key in sorted(set(settings) - set(S3), key=str):
        findings.error(node, "cluster_k3s_s3", f"k3s has no S3 setting '{key}'", did_you_mean(str(key), S3))
    if settings and not settings.get("bucket"):
        findings.error(node, "cluster_k3s_s3", "has no bucket", "Add the bucket for the snapshots.")


def engine(inventory: Inventory, record: FleetRecord) -> str:
    """The container engine of the fleet; empty without kind clusters."""
    return next((str(_kind(inventory, name, ENGINE)) for name in _kind_clusters(record)), "")


def kind(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """All kind clusters use one engine, no two use the same port of this machine, and some node runs pods."""
    owners: dict[int, tuple[str, str]] = {}
    for name in _kind_clusters(record):
        chosen = _kind(inventory, name, ENGINE)
        if chosen not in ENGINES:
            findings.error(name, ENGINE, f"'{chosen}' is not a container engine", did_you_mean(str(chosen), ENGINES))
        elif chosen != engine(inventory, record):
            problem = f"'{chosen}' is not the engine of {_kind_clusters(record)[0]}"
            findings.error(name, ENGINE, problem, "Use one engine for all kind clusters: they share a network.")
        for variable in PORTS:
            port = _kind(inventory, name, variable)
            if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 65536:
                step = "Write a number from 1 to 65535, or 0 for none."
                findings.error(name, variable, f"'{port}' is not a port", step)
            elif port and port in owners:
                other = "{1} of {0}".format(*owners[port])
                findings.error(name, variable, f"{port} is already {other}", "Use another port, or 0 for none.")
            elif port:
                owners[port] = (name, variable)
        planes, workers = (_kind(inventory, name, f"cluster_kind_{part}") for part in ("control_planes", "workers"))
        if planes != 1 and workers == 0:
            problem = f"0 with {planes} control plane nodes, on which kind runs no pods unless there is only one"
            findings.error(name, "cluster_kind_workers", problem, "Add a worker, or use 1 control plane node.")


def _kind_clusters(record: FleetRecord) -> list[str]:
    return [name for name, cluster in record["clusters"].items() if cluster["provider"] == "kind"]


def _kind(inventory: Inventory, name: str, variable: str) -> Any:
    return inventory.value(inventory.clusters[name], "cluster_kind", variable)
