# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a machine's own files say about it. Pure: text in, facts out."""

from __future__ import annotations

import json

CAP_SYS_RESOURCE = 24
KERNEL_FEATURES = ("fq", "geneve", "netkit", "vxlan", "wireguard")


def os_release(text: str) -> dict[str, str]:
    """Read /etc/os-release.

    :param text: its content.
    :returns: id ("debian"), version ("13"), name ("Debian GNU/Linux 13 (trixie)"); empty strings where it does not say.
    """
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip().strip("\"'") for key, value in fields.items()}
    return {
        "id": values.get("ID", ""),
        "version": values.get("VERSION_ID", ""),
        "name": values.get("PRETTY_NAME", ""),
    }


def interfaces(addresses: str) -> dict[str, str]:
    """Name of the link by address.

    :param addresses: output of ``ip -json address``; empty where there is no ip.
    """
    links = json.loads(addresses) if addresses else []
    return {entry["local"]: link["ifname"] for link in links for entry in link.get("addr_info", []) if "local" in entry}


def memory_mib(meminfo: str) -> int:
    """Read the total memory from /proc/meminfo, in MiB; 0 if it does not say."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def swap_areas(swaps: str) -> list[str]:
    """Names of the swap areas in use, from /proc/swaps (whose first line is a heading)."""
    return [line.split()[0] for line in swaps.splitlines()[1:] if line.strip()]


def has_capability(status: str, bit: int) -> bool:
    """Whether the bounding set in /proc/PID/status holds the capability with this number."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return False


def missing_packages(wanted: list[str], dpkg_status: str) -> list[str]:
    """Which packages are not installed.

    :param wanted: names of Debian packages.
    :param dpkg_status: lines "ii name" of ``dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'``.
    :returns: the missing names, in the order of ``wanted``.
    """
    rows = [line.split() for line in dpkg_status.splitlines()]
    installed = {row[1] for row in rows if len(row) == 2 and row[0] == "ii"}
    return [name for name in wanted if name not in installed]


def cgroup_driver(cgroup_version: int, systemd: bool) -> str:
    """The driver that suits: systemd where it owns a v2 tree, cgroupfs otherwise."""
    return "systemd" if cgroup_version == 2 and systemd else "cgroupfs"
