# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Connects clusters as `cilium clustermesh connect` does: for each pair a `helm upgrade` of both."""

import itertools
import json
import resource
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from artifact_store import STORE
from benchmarks.mesh_member import Member

NAMESPACE = "helm"  # beside the objects of the modules in kube-system
NODE_PORT = 32379


class Upgrade(NamedTuple):
    """What one `helm upgrade` takes."""

    seconds: float
    processor_seconds: float


class Pairs(NamedTuple):
    """What a full mesh of pairs takes."""

    count: int  # of pairs; each takes two upgrades
    measured: int
    upgrade: Upgrade  # the median


def found() -> tuple[Path, Path] | None:
    """Return the newest helm and chart of Cilium in the artifacts' store, None where one is missing."""
    helms, charts = sorted(STORE.glob("helm-*/helm")), sorted(STORE.glob("cilium_chart-*/cilium"))
    return (helms[-1], charts[-1]) if helms and charts else None


def upgrade(member: Member, peers: list[Member]) -> Upgrade:
    """Install the chart with these peers, or bring it to them. Raise RuntimeError with helm's words."""
    helm, chart = found() or (None, None)
    clusters = {peer.name: {"ips": [peer.address], "port": NODE_PORT} for peer in peers}
    apiserver = {"service": {"type": "NodePort", "nodePort": NODE_PORT}, "tls": {"auto": {"method": "cronJob"}}}
    config = {"enabled": True, "clusters": clusters}
    values = {
        "cluster": {"name": member.name, "id": member.number},
        # Without Hubble helm signs no certificates, which would take it longer.
        "hubble": {"enabled": False},
        "clustermesh": {"useAPIServer": True, "config": config, "apiserver": apiserver},
    }
    command = [str(helm), "upgrade", "--install", "cilium", str(chart), "--create-namespace", "-n", NAMESPACE]
    command += ["--kubeconfig", member.kubeconfig, "-f", "-"]
    start, used = time.perf_counter(), _children()
    done = subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"helm upgrade of {member.name}: {done.stderr.strip()}")
    return Upgrade(time.perf_counter() - start, _children() - used)


def _children() -> float:
    """Seconds of processors that ended children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(members: list[Member], most: int) -> Pairs:
    """Connect at most so many of the pairs, evenly spread; each cluster has the peers of all pairs before."""
    pairs = list(itertools.combinations(members, 2))
    upgrades = []
    for number in range(0, len(pairs), -(-len(pairs) // most)):
        before = pairs[: number + 1]
        for member in pairs[number]:
            peers = [peer for pair in before if member in pair for peer in pair if peer != member]
            upgrades.append(upgrade(member, peers))
    return Pairs(len(pairs), len(upgrades) // 2, Upgrade(*map(statistics.median, zip(*upgrades, strict=True))))
