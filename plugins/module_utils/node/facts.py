# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Facts of a machine from the text of its files and commands. Pure."""

from __future__ import annotations

import json

CAP_SYS_RESOURCE = 24
KERNEL_FEATURES = ("fq", "geneve", "netkit", "vxlan", "wireguard")


def os_release(text: str) -> dict[str, str]:
    """Parse /etc/os-release: id ("debian"), version ("13"), name ("Debian GNU/Linux 13 (trixie)"); empty if not set."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip().strip("\"'") for key, value in fields.items()}
    return {"id": values.get("ID", ""), "version": values.get("VERSION_ID", ""), "name": values.get("PRETTY_NAME", "")}


def interfaces(addresses: str) -> dict[str, str]:
    """Name of the interface by address, from the output of ``ip -json address`` (empty if there is no ip)."""
    links = json.loads(addresses) if addresses else []
    return {entry["local"]: link["ifname"] for link in links for entry in link.get("addr_info", []) if "local" in entry}


def memory_mib(meminfo: str) -> int:
    """Total memory in MiB from /proc/meminfo; 0 if not listed."""
    return int(_value(meminfo, "MemTotal")) // 1024


def _value(text: str, name: str) -> str:
    """The value of a line "name: value unit"; "0" if there is none."""
    return next((line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")), "0")


def swap_areas(swaps: str) -> list[str]:
    """Active swap areas from /proc/swaps, whose first line is a heading."""
    return [line.split()[0] for line in swaps.splitlines()[1:] if line.strip()]


def has_capability(status: str, bit: int) -> bool:
    """Whether the bounding set in /proc/PID/status has the capability with this number."""
    return bool(int(_value(status, "CapBnd"), 16) >> bit & 1)


def missing_packages(wanted: list[str], dpkg_status: str) -> list[str]:
    """Packages of ``wanted`` that are not installed, by lines "ii name" of dpkg-query."""
    rows = [line.split() for line in dpkg_status.splitlines()]
    installed = {row[1] for row in rows if len(row) == 2 and row[0] == "ii"}
    return [name for name in wanted if name not in installed]


def cgroup_driver(cgroup_version: int, systemd: bool) -> str:
    """The cgroup driver to use: systemd if systemd manages a v2 hierarchy, else cgroupfs."""
    return "systemd" if cgroup_version == 2 and systemd else "cgroupfs"
