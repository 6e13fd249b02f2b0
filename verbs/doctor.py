# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb doctor: what this machine lacks to run a fleet, each with the command that fixes it. Changes nothing.

For kind clusters that is the container engine, for machines on this host the host itself. Whether the addresses of an
inventory are free is checked by the preflight of each run.
"""

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hosts import ROOT, Fleet
from inventory import default, find

# isort: split
# The lines above make the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from ansible_collections.opendata.platform.plugins.module_utils.kind.cli import inspect_engine
from ansible_collections.opendata.platform.plugins.module_utils.kind.preflight import Wanted, findings
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host

GIB = 1024**3
CACHE = Path("~/.cache/odp").expanduser()
CACHE_GIB = 30


@dataclass(frozen=True)
class Passed:
    """A check without a finding: what was checked and what was found."""

    subject: str
    found: str

    def __str__(self) -> str:
        return f"ok    {self.subject}: {self.found}"


Check = Passed | Finding


def check(subject: str, passed: bool, found: str, step: str) -> Check:
    """The result of one check. step: the command or action that fixes it."""
    return Passed(subject, found) if passed else Finding("error", subject, "", found, step)


def line(result: Check) -> str:
    """The result for people."""
    if isinstance(result, Passed):
        return str(result)
    name = " ".join(filter(None, [result.subject, result.variable]))
    return f"FAIL  {name}: {result.problem}\n      fix: {result.step}"


def main() -> int:
    """0 when every check passes."""
    if len(sys.argv) > 2:
        sys.exit("odp: doctor checks one inventory: ./odp doctor [inventory]")
    name = sys.argv[1] if len(sys.argv) > 1 else default()
    fleet = Fleet(find(name))
    kind = [each for each in fleet.hosts("clusters") if fleet.value(each, "cluster_provider") == "kind"]
    results = list(engine(fleet, kind) if kind else []) + list([] if kind and not fleet.hosts("nodes") else checks())
    for result in results:
        print(line(result))
    failed = sum(isinstance(each, Finding) for each in results)
    summary = f"{failed} of {len(results)} checks failed." if failed else f"All checks passed. Start: ./odp up {name}"
    print(summary)
    return int(bool(failed))


def checks() -> Iterator[Check]:
    """Every check, in the order in which to fix them."""
    user = os.geteuid()
    yield check("root", user == 0, f"user id {user}", "sudo ./odp up")
    yield tools()
    yield from capacity()
    yield from kernel()
    yield control_groups()
    yield from ports()


def engine(fleet: Fleet, clusters: list[str]) -> Iterator[Check]:
    """The container engine of kind clusters, judged by their preflight."""
    preset = defaults("cluster_kind")
    wanted = Wanted(
        engine=fleet.value(clusters[0], "cluster_kind_engine", preset["cluster_kind_engine"]),
        directory=str(fleet.path),
        memory_gib=fleet.value(clusters[0], "cluster_kind_memory_gib", preset["cluster_kind_memory_gib"]),
        images={},
        ports={},
    )
    found = findings(wanted, inspect_engine(wanted, network=""))
    yield from found
    if not found:
        yield Passed("engine", f"{wanted.engine} answers and has at least {wanted.memory_gib} GiB of memory")


def tools() -> Check:
    """Programs that create machines; `up` installs them where there is apt-get."""
    missing = host.missing_packages()
    found = f"missing: {', '.join(sorted(missing))}" if missing else "all installed"
    packages = " ".join(sorted(set(missing.values())))
    by_hand = (
        f"apt-get install -y {packages}"
        if shutil.which("apt-get")
        else f"install the equivalents of these Debian packages: {packages}"
    )
    return check("tools", not missing, found, by_hand)


def capacity() -> Iterator[Check]:
    """Memory and disk that two machines with a cluster each need."""
    needs = defaults("machine_nspawn")
    memory, need = host.free_memory() / GIB, needs["machine_nspawn_memory_gib"]
    step = "ps aux --sort=-rss | head, and stop processes that are not needed"
    yield check("memory", memory >= need, f"{memory:.1f} GiB free, {need} needed", step)
    for place, free, gib in (
        ("/var/lib/odp", host.free_disk(), needs["machine_nspawn_disk_gib"]),
        (str(CACHE), free_at(CACHE), CACHE_GIB if not (CACHE / "artifacts").exists() else 1),
    ):
        step = f"free space on the file system of {place} (df -h; apt-get clean, journalctl --vacuum-size=100M)"
        yield check(f"disk at {place}", free >= gib * GIB, f"{free / GIB:.1f} GiB free, {gib} needed", step)


def kernel() -> Iterator[Check]:
    """File systems and links that containers and Cilium use."""
    known = Path("/proc/filesystems").read_text().split()
    for name in ("overlay", "bpf"):
        yield check(
            f"kernel: {name}", name in known, "supported" if name in known else "not supported", f"modprobe {name}"
        )
    for kind in ("bridge", "veth", "vxlan"):
        refused = link_refused(kind)
        yield check(f"kernel: {kind} links", not refused, refused or "can be created", f"modprobe {kind}")


def link_refused(kind: str) -> str:
    """Why a link of this kind cannot be created, tried in a temporary network namespace."""
    detail = ["id", "1", "dstport", "4789"] if kind == "vxlan" else []
    try:
        command = ["unshare", "--net", "ip", "link", "add", "odp-doctor", "type", kind, *detail]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def control_groups() -> Check:
    """Version 2, or version 1 with the controllers that the kubelet needs."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        have = (top / "cgroup.controllers").read_text().split()
        version = 2
    else:
        have = [path.name for path in top.iterdir()] if top.exists() else []
        version = 1
    missing = [name for name in ("cpu", "memory", "pids", "cpuset") if name not in have]
    found = f"version {version}" + (f", without {', '.join(missing)}" if missing else "")
    step = "boot with systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory"
    return check("control groups", not missing, found, step)


def ports() -> Iterator[Check]:
    """Ports of the registry mirror, unless a fleet that runs uses them."""
    if host.records():
        return
    for variable, port in defaults("registry").items():
        if variable.endswith("_port"):
            busy = port_busy(port)
            setting = f"{variable} in inventories/local/group_vars/all.yml"
            step = f"find the program with: ss -ltnp 'sport = :{port}'; stop it, or set {setting}"
            yield check(f"port {port}", not busy, "in use" if busy else "free", step)


def port_busy(port: int) -> bool:
    """Whether a program listens on the port, on any address."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def free_at(place: Path) -> int:
    """Bytes that are free where `place` is or will be."""
    return shutil.disk_usage(next(path for path in (place, *place.parents) if path.exists())).free


def defaults(role: str) -> dict[str, Any]:
    """The defaults of a role."""
    return yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())


if __name__ == "__main__":
    sys.exit(main())
