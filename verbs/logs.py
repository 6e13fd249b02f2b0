# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb logs: the logs of all pods of a service, in the inventory that ODP_INVENTORY names (default: local)."""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

from hosts import Fleet, did_you_mean
from inventory import default, find
from reach import kubectl
from services import Service, read


def main() -> int:
    """0 when every pod's log could be read."""
    parser = argparse.ArgumentParser(prog="odp logs", allow_abbrev=False)
    parser.add_argument("service")
    parser.add_argument("--cluster")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--tail", type=int, default=-1)
    given = parser.parse_args()
    fleet = Fleet(find(default()))
    clusters = [fleet.member("clusters", given.cluster)] if given.cluster else fleet.hosts("clusters")
    service = choose(given.service, *read(fleet, clusters))
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    base = kubectl(fleet, service.cluster, ["-n", service.namespace])
    logs = [*base, "logs", f"--tail={given.tail}"]
    try:
        return follow(base, logs) if given.follow else show(base, logs, service)
    except KeyboardInterrupt:
        return 0


def choose(name: str, found: list[Service], silent: dict[str, str]) -> Service:
    """The service of that name, where only one cluster has it; else ends the program with the choice."""
    hits = [service for service in found if service.name == name]
    also = "".join(f"\nodp: {cluster}: {why}" for cluster, why in silent.items())
    if not hits:
        sys.exit(
            f"odp: there is no service '{name}'. {did_you_mean(name, sorted({each.name for each in found}))}{also}"
        )
    if len(hits) > 1:
        where = ", ".join(each.cluster for each in hits)
        sys.exit(f"odp: {name} is in {where}. Choose: ./odp logs {name} --cluster {hits[0].cluster}")
    if hits[0].waiting:
        sys.exit(f"odp: {name} of {hits[0].cluster} is unavailable ({hits[0].waiting})")
    return hits[0]


def show(base: list[str], logs: list[str], service: Service) -> int:
    """The logs as they are, one pod after the other; with names when there are several."""
    done = subprocess.run([*base, "get", "pods", "-o", "json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return done.returncode
    pods = json.loads(done.stdout)["items"]
    if not pods:
        sys.exit(f"odp: {service.name} has no pods in {service.cluster}. Its state: ./odp status")
    several = len(pods) > 1 or len(containers(pods[0]["spec"])) > 1
    options = ["--all-containers", "--ignore-errors", *(["--prefix"] if several else [])]
    codes = [subprocess.run([*logs, *options, pod["metadata"]["name"]], check=False).returncode for pod in pods]
    return max(codes)


def containers(spec: dict[str, Any]) -> list[str]:
    """Names of all containers of a pod, in the order in which they start."""
    return [each["name"] for each in [*(spec.get("initContainers") or []), *spec["containers"]]]


def follow(base: list[str], logs: list[str]) -> int:
    """The logs of every container that runs now or later, until Ctrl-C; each run of a container once."""
    watch = [*base, "get", "pods", "--watch", "-o", "json"]
    children = []
    try:
        children.append(watching := subprocess.Popen(watch, stdout=subprocess.PIPE, text=True))
        for pod, container in started(documents(watching.stdout)):
            command = [*logs, "--follow", "--prefix", pod, "--container", container]
            children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return watching.wait()
    finally:
        for child in children:
            child.kill()
            child.wait()


def documents(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """The objects of a stream of JSON; kubectl ends each with a line that is only a brace."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if line.rstrip() == "}":
            yield json.loads("".join(lines))
            lines = []


def started(pods: Iterator[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each pod and container when it starts; again when it is restarted."""
    known = set()
    for pod in pods:
        status = pod.get("status") or {}
        states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        for each in states:
            if run := each.get("containerID"):
                if run not in known:
                    yield pod["metadata"]["name"], each["name"]
                known.add(run)


if __name__ == "__main__":
    sys.exit(main())
