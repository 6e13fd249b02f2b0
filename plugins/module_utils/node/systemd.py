# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep systemd units running, with the files they read.

A due restart is noted in /run before the files change, so that a killed run does not lose it; a reboot clears the note
and makes the restart unnecessary.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

RESTARTS = Path("/run/opendata/restart")
SYSTEMD = Path("/run/systemd/system")
UNIT_FILES = "/etc/systemd/system/"
RUNNING = ("active", "activating", "reloading")


class UnitError(Exception):
    """A unit did not reach its state; the message holds the last lines of its log."""


def states(names: list[str]) -> dict[str, dict[str, str]]:
    """Properties of each unit by its name; empty where systemd is not running."""
    if not names or not SYSTEMD.is_dir():
        return {}
    text = systemctl("show", "--property=ActiveState,UnitFileState", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return dict(zip(names, blocks, strict=False))


def restarts_due(restarts: list[dict[str, Any]], changing: set[str]) -> list[dict[str, Any]]:
    """Units to restart: a file that they read changes now, or changed before a run was killed.

    Units that are not running are left out: they read their files when they start.
    """
    concerned = [one for one in restarts if changing & set(one["on"]) or (RESTARTS / one["unit"]).exists()]
    found = states([one["unit"] for one in concerned])
    return [one for one in concerned if one["oneshot"] or found.get(one["unit"], {}).get("ActiveState") in RUNNING]


def note(due: list[dict[str, Any]]) -> None:
    """Note which units are to be restarted."""
    for one in due:
        RESTARTS.mkdir(parents=True, exist_ok=True)
        (RESTARTS / one["unit"]).touch()


def restart(due: list[dict[str, Any]], changed: set[str]) -> None:
    """Restart units, each once, without waiting for the end of a oneshot.

    :raises UnitError: if a unit does not start again; the next run then restarts it.
    """
    # Also without a changed unit file: a run may have been killed after it wrote one.
    if due or any(path.startswith(UNIT_FILES) for path in changed):
        systemctl("daemon-reload")
    for one in due:
        systemctl("restart", *(["--no-block"] if one["oneshot"] else []), one["unit"])
        (RESTARTS / one["unit"]).unlink(missing_ok=True)


def missing(units: list[dict[str, Any]], planned: bool) -> dict[str, list[str]]:
    """The actions due by unit, "enable" and "start"; both for every unit of a planned machine."""
    found = {} if planned else states([unit["name"] for unit in units])
    due = {}
    for unit in units:
        state = found.get(unit["name"], {})
        may_run = not unit["when_exists"] or (not planned and os.path.exists(unit["when_exists"]))
        actions = [] if state.get("UnitFileState") == "enabled" else ["enable"]
        actions += ["start"] if may_run and state.get("ActiveState") not in RUNNING else []
        if actions:
            due[unit["name"]] = actions
    return due


def repair(due: dict[str, list[str]]) -> None:
    """Enable and start units, as :func:`missing` returned them.

    :raises UnitError: if a unit cannot be enabled or started.
    """
    if due:
        systemctl("daemon-reload")
    for name, actions in due.items():
        for action in actions:
            systemctl(action, name)


def systemctl(*arguments: str) -> str:
    """Run systemctl and return its output.

    :raises UnitError: if it fails, with the last lines of the unit's log.
    """
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip()
    raise UnitError(f"systemctl {' '.join(arguments)}: {said}\nLast lines of its log:\n{log(arguments[-1])}")


def log(unit: str) -> str:
    """The last lines of a unit's log."""
    journal = ["journalctl", "--lines=15", "--no-pager", f"--unit={unit}"]
    return subprocess.run(journal, capture_output=True, text=True, check=False).stdout
