# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run the commands of a job: their output goes to a log, and they end with the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

# A command ends with the thread that started it, also if this process is killed. Commands of root have PID and mount
# namespaces of their own, so that everything they start and mount ends with them.
WRAPPED = ["setpriv", "--pdeathsig", "KILL", "--"]
if os.geteuid() == 0:
    WRAPPED += ["unshare", "--pid", "--mount", "--fork", "--kill-child=KILL", "--"]


class JobError(Exception):
    """A job failed; the message names it, the reason and the next step."""


class Shell:
    """Runs the commands of a job with their output in its log."""

    def __init__(self, log: Path, stop: threading.Event) -> None:
        """Empty the log; ``stop`` ends the running command."""
        self.log, self.stop = log, stop
        self.processes: set[subprocess.Popen[bytes]] = set()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def run(
        self, command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None, hand: int = -1
    ) -> None:
        """Run a command to its end.

        :param env: variables in addition to those of this process; an empty value removes one.
        :param hand: descriptor of a lock that the command inherits.
        :raises JobError: if it fails or the run is stopped.
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
            raise JobError(f"'{command[0]}' exited with {process.returncode}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group of a command."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
