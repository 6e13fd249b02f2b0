# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Gather facts about a machine: its kernel, init system and packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_facts
short_description: Gather facts about a machine that is or becomes a node
version_added: 0.1.0
description:
  - Returns all facts that the roles for nodes need in one task.
  - Kernel features are tried in a temporary network namespace.
options:
  packages:
    description: Debian packages; those that are not installed are returned as C(packages_missing).
    type: list
    elements: str
    default: []
  paths:
    description: Files and directories; those that exist are returned as C(existing).
    type: list
    elements: path
    default: []
  sysctls:
    description:
      - Values by key. C(kernel_due) tells whether M(opendata.platform.kernel_settings) would change them or O(modules).
    type: dict
    default: {}
  machine_sysctls:
    description: Further values by key, which are not those of a container.
    type: dict
    default: {}
  modules:
    description: Kernel modules.
    type: list
    elements: str
    default: []
  planned:
    description:
      - The machine does not exist yet and will be a container on the machine that runs this module (check mode).
      - Kernel, control groups and memory are then those of this machine, no package is missing, no path exists, and
        kernel settings are due.
    type: bool
    default: false
extends_documentation_fragment: [opendata.platform.reads]
"""

EXAMPLES = r"""
- name: Gather facts about the node
  opendata.platform.node_facts:
    packages: [conntrack, ethtool]
  register: found
"""

RETURN = r"""
facts:
  description: The facts.
  returned: always
  type: dict
  sample:
    architecture: x86_64
    cgroup_driver: systemd     # of kubelet and containerd: systemd or cgroupfs
    cgroup_version: 2
    container: ""              # "systemd-nspawn", "docker", ...; empty on a virtual or physical machine
    cpus: 2
    existing: [/etc/opendata/proxy.env]
    interfaces: {"192.0.2.11": eth0}   # interface by address
    kernel: {version: 6.12.43, fq: true, geneve: true, netkit: true, vxlan: true, wireguard: true}
    kernel_due: false          # whether kernel settings, or their files, differ from those asked for
    kubernetes: v1.36.3        # version of the kubelet; empty if the machine is not in a cluster
    memory_mib: 3911
    os: {id: debian, version: "13", name: "Debian GNU/Linux 13 (trixie)"}
    packages_missing: []
    swap: [/dev/sda2]
    sys_resource: true         # whether CAP_SYS_RESOURCE is in the bounding set
    systemd: true
    time_service: systemd-timesyncd.service   # the active one; empty if none is
    time_synchronized: true
"""

import ctypes
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.node import facts, kernel

TIME_SERVICES = ("chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "systemd-timesyncd")
TIME_ERROR = 5
# "ip link add" makes the kernel load the module, as it does for Cilium later.
PROBE = """
can() { name=$1; shift; "$@" >/dev/null 2>&1 && echo "$name"; }
can vxlan ip link add odp-vxlan type vxlan id 1 dstport 8472
can geneve ip link add odp-geneve type geneve id 1 remote 192.0.2.1
can wireguard ip link add odp-wireguard type wireguard
can netkit ip link add odp-netkit type netkit
can fq tc qdisc add dev lo root fq
true
"""


def read(path: str) -> str:
    """Text of a file; empty if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def output(*command: str) -> str:
    """Output of a command, whatever its exit code; empty if it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def kernel_facts() -> dict[str, object]:
    """Version of the kernel and which network features it has."""
    found = output("unshare", "--net", "sh", "-c", PROBE).split()
    return {
        "version": platform.release().split("-")[0],
        **{name: name in found for name in facts.KERNEL_FEATURES},
    }


def kubelet_version() -> str:
    """Version of the kubelet, such as v1.36.3; empty if the machine is not in a cluster."""
    joined = Path("/etc/kubernetes/kubelet.conf").exists()
    return output("kubelet", "--version").rpartition(" ")[2] if joined else ""


def time_service() -> str:
    """The active time service; empty if none is."""
    states = output("systemctl", "is-active", *TIME_SERVICES).split()
    active = [name for name, state in zip(TIME_SERVICES, states, strict=False) if state == "active"]
    return f"{active[0]}.service" if active else ""


def time_synchronized() -> bool:
    """Whether the kernel's clock is synchronized (adjtimex, read only)."""
    timex = ctypes.create_string_buffer(1024)
    return bool(ctypes.CDLL(None).adjtimex(timex) != TIME_ERROR)


def kernel_due(params: dict[str, Any], container: bool) -> bool:
    """Whether module kernel_settings would change anything."""
    wanted = {**params["sysctls"], **({} if container else params["machine_sysctls"])}
    due = kernel.converge({"sysctls": wanted, "modules": params["modules"], "planned": False}, check=True)
    return bool(due["changed"])


def gather(params: dict[str, Any]) -> dict[str, object]:
    """All facts of this machine."""
    packages, paths = params["packages"], params["paths"]
    systemd = Path("/run/systemd/system").is_dir()
    cgroup_version = 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1
    dpkg = output("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n", *packages) if packages else ""
    virtual = output("systemd-detect-virt", "--container")
    container = "" if virtual == "none" else virtual
    return {
        "architecture": platform.machine(),
        "cgroup_driver": facts.cgroup_driver(cgroup_version, systemd),
        "cgroup_version": cgroup_version,
        "container": container,
        "cpus": len(os.sched_getaffinity(0)),
        "existing": [path for path in paths if os.path.lexists(path)],
        "interfaces": facts.interfaces(output("ip", "-json", "address")),
        "kernel": kernel_facts(),
        "kernel_due": kernel_due(params, bool(container)),
        "kubernetes": kubelet_version(),
        "memory_mib": facts.memory_mib(read("/proc/meminfo")),
        "os": facts.os_release(read("/etc/os-release")),
        "packages_missing": facts.missing_packages(packages, dpkg),
        "swap": facts.swap_areas(read("/proc/swaps")),
        "sys_resource": facts.has_capability(read("/proc/self/status"), facts.CAP_SYS_RESOURCE),
        "systemd": systemd,
        "time_service": time_service() if systemd else "",
        "time_synchronized": time_synchronized(),
    }


def as_planned(found: dict[str, object]) -> dict[str, object]:
    """Facts of a future container on the machine with the facts ``found``."""
    driver = facts.cgroup_driver(int(str(found["cgroup_version"])), True)
    return {
        **found,
        "cgroup_driver": driver,
        "container": "systemd-nspawn",
        "existing": [],
        "interfaces": {},
        "kernel_due": True,
        "kubernetes": "",
        "os": {"id": "", "version": "", "name": "planned"},
        "packages_missing": [],
        "systemd": True,
        "time_service": "",
    }


def main() -> None:
    """Read the task's options and gather the facts."""
    module = Module(
        {
            "packages": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path", "default": []},
            "sysctls": {"type": "dict", "default": {}},
            "machine_sysctls": {"type": "dict", "default": {}},
            "modules": {"type": "list", "elements": "str", "default": []},
            "planned": {"type": "bool", "default": False},
        },
    )
    found = gather(module.params)
    if module.params["planned"]:
        found = as_planned(found)
    module.exit_json(changed=False, facts=found)


if __name__ == "__main__":
    main()
