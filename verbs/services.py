# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Reads the services of the clusters of a fleet from the ConfigMap that the platform stage wrote."""

import json
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

from hosts import Fleet
from reach import kubectl

# isort: split
# The imports above make the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.report import services as report
from ansible_collections.opendata.platform.plugins.module_utils.service import catalogue

SECONDS = 10


@dataclass(frozen=True)
class Service:
    """One service of one cluster; without a host it has no route, and `waiting` is why it is not available."""

    cluster: str
    name: str
    namespace: str
    service: str = ""
    port: int = 0
    host: str = ""
    user: str = ""
    secret: str = ""
    key: str = "password"
    waiting: str = ""


def read(fleet: Fleet, clusters: list[str]) -> tuple[list[Service], dict[str, str]]:
    """The services of these clusters in their order, and the reason for each cluster without any."""
    with ThreadPoolExecutor(max_workers=max(len(clusters), 1)) as workers:
        answers = dict(zip(clusters, workers.map(lambda cluster: _entries(fleet, cluster), clusters), strict=True))
    silent = {cluster: answer for cluster, answer in answers.items() if isinstance(answer, str)}
    # What is unavailable has no namespace; only `status` lists it.
    entries = [(name, entry) for name in answers.keys() - silent.keys() for entry in answers[name]]
    found = [_service(name, entry) for name, entry in entries if entry.get("namespace")]
    return sorted(found, key=lambda service: (service.cluster, service.name)), silent


def _entries(fleet: Fleet, cluster: str) -> list[dict[str, Any]] | str:
    """The entries of a cluster's ConfigMap, or why there are none."""
    if not (fleet.state / "kubeconfigs" / cluster).exists():
        return f"it has no kubeconfig yet. Create the cluster: ./odp up {fleet.path.name}"
    what = ["-n", catalogue.NAMESPACE, "get", "configmap", catalogue.NAME, "-o", "json", "--ignore-not-found"]
    command = kubectl(fleet, cluster, [f"--request-timeout={SECONDS}s", *what])
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"kubectl exited with {done.returncode}"])[-1]
    if not done.stdout.strip():
        return f"it has no services yet. Deliver them: ./odp up {fleet.path.name}"
    return catalogue.entries(json.loads(done.stdout))


def _service(cluster: str, entry: dict[str, Any]) -> Service:
    """What a Service keeps of an entry."""
    known = {field.name for field in fields(Service)} - {"cluster"}
    return Service(cluster, **{key: value for key, value in entry.items() if key in known and value})


def names(services: list[Service]) -> dict[Service, list[str]]:
    """The names under which `connect` serves what has a route, the shortest first."""
    described: dict[str, list[dict[str, Any]]] = {}
    for service in services:
        described.setdefault(service.cluster, []).append({"name": service.name, "host": service.host})
    found = report.hostnames(described)
    return {each: found[each.cluster, each.name] for each in services if each.host}


def password_command(service: Service, inventory: str) -> str:
    """What prints the password on this machine; the inventory `local` needs not be named."""
    path = service.key.replace(".", "\\.")
    words = ["./odp", "kubectl", service.cluster, "-n", service.namespace, "get", "secret", service.secret]
    command = shlex.join([*words, "-o", f"jsonpath={{.data.{path}}}"]) + " | base64 -d"
    return command if inventory == "local" else f"ODP_INVENTORY={shlex.quote(inventory)} {command}"
