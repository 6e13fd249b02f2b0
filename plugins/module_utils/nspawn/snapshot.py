# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Copy stopped machines of a fleet to a snapshot, and back."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..files import atomic_write
from ..supervisor.client import Supervisor
from . import host
from .host import run
from .layout import STATE

RECORD = "snapshot.json"
# Made at each start: the mounted root, and what overlayfs works with.
NOT_SAVED = frozenset({"root", "work"})
# Below a machine's directory: containerd writes these files once, so that copies can share them. Where it writes again
# are layers of containers, and none of them outlives the machine's stop.
SHARED = (
    "volumes/containerd/io.containerd.content.v1.content/blobs",
    "volumes/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots",
)
# Of the state directory: what belongs to the user or to the run, not to the clusters.
NOT_OF_CLUSTERS = {"lock", "backups", "age.key", "artifacts.lock.yml", "cache"}


@dataclass(frozen=True)
class Record:
    """What a snapshot was made of.

    Args:
        fleet: name of the fleet.
        saved: time of the snapshot, ISO 8601 with time zone.
        network: network of the machines.
        addresses: address of each machine by its name.
        bases: the read-only tree below the root of each machine.
    """

    fleet: str
    saved: str
    network: str
    addresses: dict[str, str]
    bases: dict[str, str]


def read(directory: Path) -> Record | None:
    """Return the record of a snapshot, None if there is no complete one."""
    try:
        return Record(**json.loads((directory / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def refusals(directory: Path, network: str, addresses: dict[str, str]) -> list[str]:
    """Return why a snapshot cannot be restored to the fleet of the inventory, one sentence each."""
    record = read(directory)
    if record is None:
        known = sorted(path.name for path in directory.parent.glob("*") if read(path))
        return [f"there is no snapshot {directory.name}. Known: {', '.join(known) or 'none'}."]
    found = []
    for name in sorted({*record.addresses, *addresses}):
        then, now = record.addresses.get(name, "not there"), addresses.get(name, "not there")
        if then != now:
            found.append(f"machine {name}: {then} in the snapshot, {now} in the inventory.")
    if record.network != network:
        found.append(f"machine_nspawn_network: {record.network} in the snapshot, {network} in the inventory.")
    if found:
        found.append("Restore the inventory's machines and network to those of the snapshot, or remove the snapshot.")
    gone = sorted({base for base in record.bases.values() if not Path(base).is_dir()})
    found += [f"the root of its machines {base} is gone. Remove the snapshot." for base in gone]
    unpacked = sorted({path.read_text().strip() for path in directory.glob("machines/*/images")})
    found += [f"their images {path} are gone. Remove the snapshot." for path in unpacked if not Path(path).is_dir()]
    return found


def save(directory: Path, fleet: str, network: str, addresses: dict[str, str], state: Path) -> None:
    """Stop the machines of a fleet and copy them and the fleet's state directory.

    Args:
        directory: the snapshot, which does not exist yet.
        fleet, network, addresses: as in `Record`.
        state: the state directory of the inventory.

    Raises:
        HostError, SupervisorError: if a machine does not stop or a file cannot be copied; there is no snapshot then.
    """
    stop(fleet, list(addresses))
    machines = STATE / fleet / "machines"
    new = directory.with_name(f".{directory.name}.new")
    host.remove(new)
    for part in (new, new / "machines", new / "state"):
        part.mkdir(parents=True, mode=0o700)
    _copy_machines([machines / name for name in addresses], new / "machines")
    _copy(_of_clusters(state), new / "state")
    record = Record(
        fleet=fleet,
        saved=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        network=network,
        addresses=addresses,
        bases={name: (machines / name / "base").read_text().strip() for name in addresses},
    )
    # The record says that the snapshot is complete, so the copies have to be on disk before it.
    os.sync()
    atomic_write(new / RECORD, json.dumps(asdict(record), indent=2) + "\n", 0o600)
    new.rename(directory)


def restore(directory: Path, fleet: str, state: Path) -> None:
    """Replace the machines of a fleet, if there are any, and its state directory. The machines are stopped afterwards.

    Raises:
        HostError, SupervisorError: if a machine does not stop or a file cannot be copied.
    """
    machines = STATE / fleet / "machines"
    new, old = machines.with_name("machines.new"), machines.with_name("machines.old")
    stop(fleet, [path.parent.name for path in machines.glob("*/start")])
    host.remove(new, old)
    new.mkdir(parents=True, mode=0o700)
    _copy_machines((directory / "machines").iterdir(), new)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    if machines.exists():
        machines.rename(old)
    for path in _of_clusters(state):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _copy((directory / "state").iterdir(), state)
    new.rename(machines)
    host.remove(old)


def stop(fleet: str, names: list[str]) -> None:
    """Stop machines, and everything that still runs in them. Raises HostError, SupervisorError."""
    Supervisor.of_fleet(fleet).stop(names)
    host.clean(fleet, names)


def _of_clusters(state: Path) -> list[Path]:
    return [path for path in state.glob("*") if path.name not in NOT_OF_CLUSTERS]


def _copy_machines(machines: Iterable[Path], target: Path) -> None:
    for machine in machines:
        # Hard links do not reach into another file system.
        shared = SHARED if machine.stat().st_dev == target.stat().st_dev else ()
        _copy_directory(machine, target / machine.name, {machine / path for path in shared}, leave_out=NOT_SAVED)


def _copy_directory(source: Path, target: Path, shared: set[Path], leave_out: frozenset[str] = frozenset()) -> None:
    """Copy a directory; the files in the directories of ``shared``, which are below it, become hard links."""
    target.mkdir()
    shutil.copystat(source, target)
    whole = []
    for path in sorted(source.iterdir()):
        if path in shared:
            run("cp", "--archive", "--link", str(path), str(target))
        elif any(path in each.parents for each in shared):
            _copy_directory(path, target / path.name, shared)
        elif path.name not in leave_out:
            whole.append(path)
    _copy(whole, target)


def _copy(paths: Iterable[Path], target: Path) -> None:
    """Copy files and directories into a directory, with owners, modes, times and extended attributes."""
    if words := [str(path) for path in paths]:
        run("cp", "--archive", "--reflink=auto", *words, str(target))
