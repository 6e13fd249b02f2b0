# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Processes and private files, as supervision needs them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

WAIT_SECONDS = 30


def pids_of(*words: str) -> list[int]:
    """Return the processes whose command line has all these words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().decode(errors="replace").split("\0")
            if all(word in line for word in words):
                found.append(int(entry.parent.name))
    return found


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    new = path.with_name(f".{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    new.rename(path)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits for its parent to notice its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int, first: signal.Signals = signal.SIGTERM) -> None:
    """Stop a process, by force after a while, and return when it is gone."""
    for number in (first, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + WAIT_SECONDS
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not alive(pid):
            return
