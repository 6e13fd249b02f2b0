# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep systemd units running with the files they read. Private to this collection.

A restart that is due is noted in /run before the files change, so that it is not lost if the run is killed in between;
a reboot clears the note and makes the restart needless.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

RESTARTS = Path("/run/opendata/restart")
SYSTEMD = Path("/run/systemd/system")
RUNNING = ("active", "activating", "reloading")


class UnitError(Exception):
    """A unit could not be brought to its state; the message holds its last log lines."""


def note_restarts(units: list[dict], changing: set[str]) -> None:
    """Note which units must restart, before the files they read are changed."""
    for unit in units:
        if changing & set(unit["restart_on"]):
            RESTARTS.mkdir(parents=True, exist_ok=True)
            (RESTARTS / unit["name"]).touch()


def due(unit: dict, state: dict[str, str], restart: bool) -> list[str]:
    """What is to be done about a unit: any of "enable", "start", "restart".

    :param unit: entry of the option ``units``.
    :param state: its properties as systemd shows them; empty if it is not known there.
    :param restart: whether a file that it reads has changed.
    """
    actions = []
    may_run = not unit["when_exists"] or os.path.exists(unit["when_exists"])
    if not unit["oneshot"] and state.get("UnitFileState") != "enabled":
        actions.append("enable")
    if not may_run:
        return actions
    if unit["oneshot"] or state.get("ActiveState") in RUNNING:
        return [*actions, "restart"] if restart else actions
    return [*actions, "start"]


def foreseen(units: list[dict], changing: set[str], planned: bool) -> dict[str, list[str]]:
    """What :func:`converge` would do; nothing is looked at if the machine is only planned."""
    found = {} if planned or not units or not SYSTEMD.is_dir() else states(units)
    actions = {
        unit["name"]: due(unit, found.get(unit["name"], {}), bool(changing & set(unit["restart_on"]))) for unit in units
    }
    return {name: todo for name, todo in actions.items() if todo}


def states(units: list[dict]) -> dict[str, dict[str, str]]:
    """Properties of each unit by its name."""
    names = [unit["name"] for unit in units]
    text = systemctl("show", "--property=ActiveState,UnitFileState,NeedDaemonReload", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return dict(zip(names, blocks, strict=False))


def converge(units: list[dict], changed: set[str]) -> dict[str, list[str]]:
    """Bring all units to their state.

    :param units: the option ``units``.
    :param changed: paths of files that were just changed.
    :returns: the actions taken by unit, without those that needed none.
    :raises UnitError: if a unit does not do as told.
    """
    if not units:
        return {}
    found = states(units)
    stale = any(state.get("NeedDaemonReload") == "yes" for state in found.values())
    if stale or any(path.startswith("/etc/systemd/system/") for path in changed):
        systemctl("daemon-reload")
        found = states(units)
    done = {}
    for unit in units:
        note = RESTARTS / unit["name"]
        actions = due(unit, found.get(unit["name"], {}), note.exists())
        for action in actions:
            systemctl(action, *(["--no-block"] if unit["oneshot"] else []), unit["name"])
        # What does not run yet reads its files when it starts.
        note.unlink(missing_ok=True)
        if actions:
            done[unit["name"]] = actions
    return done


def systemctl(*arguments: str) -> str:
    """Run systemctl; its output.

    :raises UnitError: if it fails, with the last lines of the unit's log.
    """
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    journal = ["journalctl", "--lines=15", "--no-pager", f"--unit={arguments[-1]}"]
    log = subprocess.run(journal, capture_output=True, text=True, check=False).stdout
    raise UnitError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}\nLast lines of its log:\n{log}")
