# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep systemd units running, with the files they read.

A restart that is due is noted in /run before the files change, so that it is not lost if the run is killed in between;
a reboot clears the note and makes the restart needless.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

RESTARTS = Path("/run/opendata/restart")
SYSTEMD = Path("/run/systemd/system")
UNIT_FILES = "/etc/systemd/system/"
RUNNING = ("active", "activating", "reloading")


class UnitError(Exception):
    """A unit could not be brought to its state; the message holds its last log lines."""


def states(names: list[str]) -> dict[str, dict[str, str]]:
    """Properties of each unit by its name; empty where systemd does not run."""
    if not names or not SYSTEMD.is_dir():
        return {}
    text = systemctl("show", "--property=ActiveState,UnitFileState", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return dict(zip(names, blocks, strict=False))


def restarts_due(restarts: list[dict], changing: set[str]) -> list[dict]:
    """Units that must restart: a file they read changes now, or changed before a run was killed.

    What does not run needs none: it reads its files when it starts.
    """
    concerned = [one for one in restarts if changing & set(one["on"]) or (RESTARTS / one["unit"]).exists()]
    found = states([one["unit"] for one in concerned])
    return [one for one in concerned if one["oneshot"] or found.get(one["unit"], {}).get("ActiveState") in RUNNING]


def note(due: list[dict]) -> None:
    """Note which units must restart."""
    for one in due:
        RESTARTS.mkdir(parents=True, exist_ok=True)
        (RESTARTS / one["unit"]).touch()


def restart(due: list[dict], changed: set[str]) -> None:
    """Restart units, each once; of a oneshot the end is not waited for.

    :raises UnitError: if a unit does not come back; it is then restarted by the next run.
    """
    # Also for the restart alone: a run may have been killed after it wrote a unit's file.
    if due or any(path.startswith(UNIT_FILES) for path in changed):
        systemctl("daemon-reload")
    for one in due:
        systemctl("restart", *(["--no-block"] if one["oneshot"] else []), one["unit"])
        (RESTARTS / one["unit"]).unlink(missing_ok=True)


def missing(units: list[dict], planned: bool) -> dict[str, list[str]]:
    """What units lack, any of "enable" and "start", by name; all if the machine is only planned."""
    found = {} if planned else states([unit["name"] for unit in units])
    lacks = {}
    for unit in units:
        state = found.get(unit["name"], {})
        may_run = not unit["when_exists"] or (not planned and os.path.exists(unit["when_exists"]))
        actions = [] if state.get("UnitFileState") == "enabled" else ["enable"]
        actions += ["start"] if may_run and state.get("ActiveState") not in RUNNING else []
        if actions:
            lacks[unit["name"]] = actions
    return lacks


def mend(lacks: dict[str, list[str]]) -> None:
    """Enable and start what :func:`missing` found.

    :raises UnitError: if a unit does not do as told.
    """
    if lacks:
        systemctl("daemon-reload")
    for name, actions in lacks.items():
        for action in actions:
            systemctl(action, name)


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
