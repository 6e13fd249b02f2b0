# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Inspect and change the host of a fleet's machines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..files import atomic_write
from ..supervisor.client import Supervisor
from .layout import PACKAGES, REMEMBERED, STATE, sysctls_to_restore, table_name

ENVIRONMENT = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


class HostError(Exception):
    """The host refused a change; the message is for the user."""


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command and return its output. Raises HostError with its message."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    except FileNotFoundError as error:
        raise HostError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise HostError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def listed(*command: str) -> Any:
    """Run a command that prints JSON and return the value, an empty list if it fails: there is no such object."""
    try:
        return json.loads(run(*command) or "[]")
    except HostError:
        return []


def missing_packages() -> dict[str, str]:
    """Return the commands that are not installed, with the package of each."""
    return {command: package for command, package in PACKAGES.items() if not shutil.which(command)}


def install(packages: list[str]) -> list[str]:
    """Install Debian packages and return the names of all that are new, with dependencies. Raises HostError."""
    before = _installed()
    command = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600", "install", *packages)
    try:
        run(*command)
    except HostError:
        run("apt-get", "-q", "update")
        run(*command)
    return sorted(_installed() - before)


def _installed() -> set[str]:
    lines = run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n").splitlines()
    return {line.split()[-1] for line in lines if line.startswith("ii")}


def sysctls() -> dict[str, int]:
    """Return the current values that a fleet may change, without those that this kernel does not have."""
    values = {}
    for name in REMEMBERED:
        with contextlib.suppress(OSError, ValueError):
            values[name] = int(_sysctl_path(name).read_text())
    return values


def set_sysctl(name: str, value: int) -> bool:
    """Set a value and return whether the kernel accepted it."""
    with contextlib.suppress(OSError):
        _sysctl_path(name).write_text(f"{value}\n")
    return int(_sysctl_path(name).read_text()) == value


def _sysctl_path(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def routes() -> list[tuple[str, str]]:
    """Return (interface, network) of every address and every route of this host, without default routes."""
    if not shutil.which("ip"):
        return []
    found = [
        (link["ifname"], f"{a['local']}/{a['prefixlen']}")
        for link in listed("ip", "-j", "addr")
        for a in link["addr_info"]
    ]
    for route in listed("ip", "-4", "-j", "route", "show", "table", "all"):
        if route["dst"] not in ("default", "0.0.0.0/0") and route.get("type", "unicast") == "unicast":
            found.append((route.get("dev", "a route"), route["dst"]))
    return found


def free_memory() -> int:
    """Return the available bytes of memory, within the limits of our control groups."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _number, controllers, path in groups:
        if controllers in ("", "memory"):
            first = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            names = first if controllers else ("memory.max", "memory.current")
            top = Path("/sys/fs/cgroup") / controllers
            for group in [top / path.lstrip("/"), *(top / path.lstrip("/")).parents]:
                with contextlib.suppress(OSError, ValueError):
                    free = min(free, int((group / names[0]).read_text()) - int((group / names[1]).read_text()))
                if group == top:
                    break
    return free


def free_disk() -> int:
    """Return the free bytes where the machines are stored."""
    place = STATE
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def records() -> dict[str, dict[str, Any]]:
    """Return the record that each fleet on this host wrote before its first change."""
    found = {}
    for path in sorted(STATE.glob("*/host.json")):
        with contextlib.suppress(OSError, ValueError):
            found[path.parent.name] = json.loads(path.read_text())
    return found


def write_record(fleet: str, record: dict[str, Any]) -> None:
    """Write the record of a fleet, readable by root only."""
    path = STATE / fleet / "host.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic_write(path, json.dumps(record, indent=2, sort_keys=True) + "\n", 0o600)


def remove_fleet(fleet: str, directory: str, check: bool) -> tuple[list[str], list[str]]:
    """Remove everything that a fleet has on this host, complete or not, and nothing of others.

    Returns:
        What was removed (would be, with ``check``), and what cannot be undone; one line each.

    Raises:
        HostError: if the fleet belongs to another directory, or the host refuses a change.
    """
    record = records().get(fleet)
    if record and record["directory"] != directory and Path(record["directory"]).exists():
        raise HostError(f"the fleet {fleet} on this host belongs to {record['directory']}: run ./odp down there")
    changes = [
        *_programs(Supervisor.of_fleet(fleet), check),
        *_machines(fleet, check),
        *(_network(fleet, record["bridge"], check) if record else []),
    ]
    exceptions: list[str] = []
    if record:
        others = [name for name in records() if name != fleet]
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
    names = sorted(start.parent.name for start in (STATE / fleet / "machines").glob("*/start"))
    if not check:
        clean(fleet, names)
    return [f"machine {name}" for name in names]


def clean(fleet: str, machines: list[str]) -> None:
    """Kill what is left of stopped machines, and remove their control groups and links. Raises HostError."""

    def one(machine: str) -> None:
        start = STATE / fleet / "machines" / machine / "start"
        run("env", f"ODP_FLEET={fleet}", f"ODP_MACHINE={machine}", "sh", str(start), "clean")

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, machines))


def _network(fleet: str, bridge: str, check: bool) -> list[str]:
    changes = []
    table = table_name(fleet)
    if listed("nft", "-j", "list", "table", "ip", table):
        changes.append(f"nft table {table}")
        if not check:
            run("nft", "delete", "table", "ip", table)
    if listed("ip", "-j", "link", "show", "dev", bridge):
        changes.append(f"bridge {bridge}")
        if not check:
            # A port remains for a moment after its machine, until the kernel has freed the machine's network.
            for port in listed("ip", "-j", "link", "show", "master", bridge):
                listed("ip", "link", "del", port["ifname"])
            run("ip", "link", "del", bridge)
    return changes


def _sysctls(remembered: dict[str, int], check: bool) -> tuple[list[str], list[str]]:
    changes, exceptions = [], []
    for name, value in sorted(sysctls_to_restore(sysctls(), remembered).items()):
        if check or set_sysctl(name, value):
            changes.append(f"sysctl {name} = {value}")
        else:
            stays = sysctls()[name]
            exceptions.append(f"{name} stays {stays} (was {value}) until the host is rebooted")
    return changes, exceptions


def _files(fleet: str, check: bool) -> list[str]:
    state = STATE / fleet
    if not state.exists():
        return []
    if not check:
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{state}/")), reverse=True):
            run("umount", "-l", mount)
        # The record is removed last, so that an interrupted teardown finds it again.
        remove(state / "machines")
        shutil.rmtree(state)
        _remove_empty(state.parent)
    return [f"files {state}"]


def remove(*directories: Path) -> None:
    """Remove directories, if they exist, faster than Python removes the 100,000 files of images. Raises HostError."""
    run("rm", "--recursive", "--force", *map(str, directories))


def _remove_empty(*directories: Path) -> None:
    for directory in directories:
        if directory.is_dir() and not any(directory.iterdir()):
            os.rmdir(directory)
