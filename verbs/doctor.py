# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb doctor: what this machine lacks for a fleet, each with the command that mends it. Changes nothing.

For clusters of kind that is the container engine, for machines made here this host. Whether the addresses of an
inventory are free is looked at by the preflight of each run.
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
from ansible_collections.opendata.platform.plugins.module_utils.kind.facts import look
from ansible_collections.opendata.platform.plugins.module_utils.kind.preflight import Wanted, findings
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host

GIB = 1024**3
CACHE = Path("~/.cache/odp").expanduser()
CACHE_GIB = 30


@dataclass(frozen=True)
class Check:
    """One thing that is well or not: what was seen, and the command or step that mends it."""

    name: str
    well: bool
    seen: str
    mend: str


def main() -> int:
    """0 when nothing is missing."""
    name = sys.argv[1] if len(sys.argv) > 1 else default()
    fleet = Fleet(find(name))
    kind = [each for each in fleet.hosts("clusters") if fleet.value(each, "cluster_provider") == "kind"]
    found = list(engine(fleet, kind) if kind else []) + list([] if kind and not fleet.hosts("nodes") else checks())
    for check in found:
        print(f"{'ok  ' if check.well else 'LACK'}  {check.name}: {check.seen}")
        if not check.well:
            print(f"      mend: {check.mend}")
    lacking = sum(not check.well for check in found)
    print(f"{lacking} of {len(found)} lack." if lacking else f"Nothing is missing. Start: ./odp up {name}")
    return int(bool(lacking))


def checks() -> Iterator[Check]:
    """Every check, in the order in which to mend."""
    user = os.geteuid()
    yield Check("root", user == 0, f"user id {user}", "sudo ./odp up")
    yield tools()
    yield from room()
    yield from kernel()
    yield control_groups()
    yield from ports()


def engine(fleet: Fleet, clusters: list[str]) -> Iterator[Check]:
    """The container engine of the clusters of kind, in the words of their preflight."""
    given = defaults("cluster_kind")
    wanted = Wanted(
        engine=fleet.value(clusters[0], "cluster_kind_engine", given["cluster_kind_engine"]),
        directory=str(fleet.path),
        memory_gib=fleet.value(clusters[0], "cluster_kind_memory_gib", given["cluster_kind_memory_gib"]),
        images={},
        ports={},
    )
    found = findings(wanted, look(wanted, network=""))
    for finding in found:
        what, _, words = finding.partition(": ")
        problem, _, step = words.partition(". ")
        yield Check(what, False, problem, step)
    if not found:
        yield Check("engine", True, f"{wanted.engine} answers, and has {wanted.memory_gib} GiB of memory at least", "")


def tools() -> Check:
    """Programs that make machines; `up` installs them itself where there is apt-get."""
    missing = host.missing_packages()
    seen = f"without {', '.join(sorted(missing))}" if missing else "all there"
    packages = " ".join(sorted(set(missing.values())))
    by_hand = f"apt-get install -y {packages}" if shutil.which("apt-get") else f"install what Debian calls {packages}"
    return Check("tools", not missing, seen, by_hand)


def room() -> Iterator[Check]:
    """Memory and disk that two machines with a cluster each need."""
    needs = defaults("machine_nspawn")
    memory, need = host.free_memory() / GIB, needs["machine_nspawn_memory_gib"]
    mend = "ps aux --sort=-rss | head, and stop what is not needed"
    yield Check("memory", memory >= need, f"{memory:.1f} GiB free, {need} needed", mend)
    for place, free, gib in (
        ("/var/lib/odp", host.free_disk(), needs["machine_nspawn_disk_gib"]),
        (str(CACHE), free_at(CACHE), CACHE_GIB if not (CACHE / "artifacts").exists() else 1),
    ):
        mend = f"df -h, and free space where {place} is (apt-get clean, journalctl --vacuum-size=100M)"
        yield Check(f"disk at {place}", free >= gib * GIB, f"{free / GIB:.1f} GiB free, {gib} needed", mend)


def kernel() -> Iterator[Check]:
    """File systems and links that containers and Cilium use."""
    known = Path("/proc/filesystems").read_text().split()
    for name in ("overlay", "bpf"):
        yield Check(f"kernel: {name}", name in known, "known" if name in known else "not known", f"modprobe {name}")
    for kind in ("bridge", "veth", "vxlan"):
        refused = link_refused(kind)
        yield Check(f"kernel: {kind} links", not refused, refused or "can be made", f"modprobe {kind}")


def link_refused(kind: str) -> str:
    """Why a link of this kind cannot be made, tried in a network namespace that ends with the command."""
    detail = ["id", "1", "dstport", "4789"] if kind == "vxlan" else []
    try:
        command = ["unshare", "--net", "ip", "link", "add", "odp-doctor", "type", kind, *detail]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def control_groups() -> Check:
    """Version 2, or version 1 with the controllers that a kubelet needs."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        have = (top / "cgroup.controllers").read_text().split()
        version = 2
    else:
        have = [path.name for path in top.iterdir()] if top.exists() else []
        version = 1
    missing = [name for name in ("cpu", "memory", "pids", "cpuset") if name not in have]
    seen = f"version {version}" + (f", without {', '.join(missing)}" if missing else "")
    mend = "boot with systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory"
    return Check("control groups", not missing, seen, mend)


def ports() -> Iterator[Check]:
    """Ports of the mirror; a fleet that is up has them itself."""
    if host.records():
        return
    for variable, port in defaults("registry").items():
        if variable.endswith("_port"):
            busy = port_busy(port)
            setting = f"{variable} in inventories/local/group_vars/all.yml"
            mend = f"ss -ltnp 'sport = :{port}' names the program: stop it, or set {setting}"
            yield Check(f"port {port}", not busy, "in use" if busy else "free", mend)


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
