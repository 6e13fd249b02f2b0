# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Remove the machines of a fleet from this host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..supervisor.client import Supervisor
from . import host
from . import layout as rules


def remove_fleet(fleet: str, directory: str, check: bool) -> tuple[list[str], list[str]]:
    """Remove everything that a fleet has on this host, complete or not, and nothing of others.

    Returns:
        What was removed (would be, with ``check``), and what cannot be undone; one line each.

    Raises:
        HostError: if the fleet belongs to another directory, or the host refuses a change.
    """
    record = host.records().get(fleet)
    if record and record["directory"] != directory and Path(record["directory"]).exists():
        raise host.HostError(f"the fleet {fleet} on this host belongs to {record['directory']}: run ./odp down there")
    changes = [
        *_programs(Supervisor.of_fleet(fleet), check),
        *_machines(fleet, check),
        *(_network(fleet, record["bridge"], check) if record else []),
    ]
    exceptions: list[str] = []
    if record:
        others = [name for name in host.records() if name != fleet]
        lines, exceptions = ([], []) if others else _sysctls(record["sysctls"], check)
        changes += lines
        if record["packages"]:
            exceptions.append(f"Debian packages stay installed: {' '.join(record['packages'])}")
    return [*changes, *_files(fleet, check)], exceptions


def _programs(supervisor: Supervisor, check: bool) -> list[str]:
    if not (supervisor.pids() or supervisor.runtime.exists() or supervisor.logs.exists()):
        return []
    if not check:
        supervisor.shut_down(at_once=True)
        shutil.rmtree(supervisor.runtime, ignore_errors=True)
        shutil.rmtree(supervisor.logs, ignore_errors=True)
        _remove_empty(supervisor.runtime.parent, supervisor.logs.parent)
    return [f"supervised programs, {supervisor.runtime}, {supervisor.logs}"]


def _machines(fleet: str, check: bool) -> list[str]:
    changes = []
    for start in sorted((rules.STATE / fleet / "machines").glob("*/start")):
        changes.append(f"machine {start.parent.name}")
        if not check:
            host.run("env", f"ODP_FLEET={fleet}", f"ODP_MACHINE={start.parent.name}", "sh", str(start), "clean")
    return changes


def _network(fleet: str, bridge: str, check: bool) -> list[str]:
    changes = []
    table = rules.table_name(fleet)
    if host.listed("nft", "-j", "list", "table", "ip", table):
        changes.append(f"nft table {table}")
        if not check:
            host.run("nft", "delete", "table", "ip", table)
    if host.listed("ip", "-j", "link", "show", "dev", bridge):
        changes.append(f"bridge {bridge}")
        if not check:
            # A port remains for a moment after its machine, until the kernel has freed the machine's network.
            for port in host.listed("ip", "-j", "link", "show", "master", bridge):
                host.listed("ip", "link", "del", port["ifname"])
            host.run("ip", "link", "del", bridge)
    return changes


def _sysctls(remembered: dict[str, int], check: bool) -> tuple[list[str], list[str]]:
    changes, exceptions = [], []
    for name, value in sorted(rules.sysctls_to_restore(host.sysctls(), remembered).items()):
        if check or host.set_sysctl(name, value):
            changes.append(f"sysctl {name} = {value}")
        else:
            stays = host.sysctls()[name]
            exceptions.append(f"{name} stays {stays} (was {value}) until the host is rebooted")
    return changes, exceptions


def _files(fleet: str, check: bool) -> list[str]:
    state = rules.STATE / fleet
    if not state.exists():
        return []
    if not check:
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{state}/")), reverse=True):
            host.run("umount", "-l", mount)
        # The record is removed last, so that an interrupted teardown finds it again.
        shutil.rmtree(state / "machines", ignore_errors=True)
        shutil.rmtree(state)
        _remove_empty(state.parent)
    return [f"files {state}"]


def _remove_empty(*directories: Path) -> None:
    for directory in directories:
        if directory.is_dir() and not any(directory.iterdir()):
            os.rmdir(directory)
