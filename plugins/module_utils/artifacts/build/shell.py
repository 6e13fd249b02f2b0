# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Commands of a job: their output goes to a log, and none outlives the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

# A command ends with the thread that started it, also when this process is killed. Root's commands see only their own
# processes and mounts: all that they started and mounted ends with them.
WRAPPED = ["setpriv", "--pdeathsig", "KILL", "--"]
if os.geteuid() == 0:
    WRAPPED += ["unshare", "--pid", "--mount", "--fork", "--kill-child=KILL", "--"]


class JobError(Exception):
    """A job failed; the text says which, why, and what to do."""


class Shell:
    """What a job uses to run commands: their output goes to the job's log, and they end when the run ends."""

    def __init__(self, log: Path, stop: threading.Event) -> None:
        """Open nothing yet; the log is made anew by the first line."""
        self.log, self.stop = log, stop
        self.processes: set[subprocess.Popen[bytes]] = set()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def run(
        self, command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None, hand: int = -1
    ) -> None:
        """Run a command to its end.

        :param env: variables beside those of this process; an empty value removes one.
        :param hand: descriptor of a lock that the command and its children hold too.
        :raises JobError: when it fails or the run is being stopped.
        """
        merged = {key: value for key, value in {**os.environ, **(env or {})}.items() if value or key not in (env or {})}
        with self.log.open("ab") as stream:
            stream.write(f"$ {' '.join(command)}\n".encode())
            stream.flush()
            process = subprocess.Popen(
                [*WRAPPED, *command],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=merged,
                cwd=cwd,
                start_new_session=True,
                pass_fds=(hand,) if hand >= 0 else (),
            )
            self.processes.add(process)
            try:
                while process.poll() is None:
                    if self.stop.is_set():
                        end(process)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
            finally:
                end(process)
                self.processes.discard(process)
        if self.stop.is_set():
            raise JobError("stopped")
        if process.returncode:
            raise JobError(f"'{command[0]}' ended with {process.returncode}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
