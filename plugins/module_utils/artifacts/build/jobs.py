# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run jobs in the order of their dependencies: some at once, each with a log, all stopped when one fails."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

TAIL = 20
SIGNS_OF_FULL_DISK = ("no space left on device", "disk quota exceeded")
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
            try:
                while process.poll() is None:
                    if self.stop.is_set():
                        end(process)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
            finally:
                end(process)
        if self.stop.is_set():
            raise JobError("stopped")
        if process.returncode:
            raise JobError(f"'{command[0]}' exited with {process.returncode}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group of a command."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Job:
    """One piece of work: ``work(shell)`` does it in about ``seconds``. Jobs of one ``group`` run one at a time."""

    name: str
    work: Callable[[Shell], None]
    needs: list[str] = field(default_factory=list)
    seconds: float = 1
    label: str = ""
    group: str = ""


def run_jobs(
    jobs: Sequence[Job], logs: Path, at_once: int, say: Callable[[str], None], every: float = 15
) -> dict[str, float]:
    """Run all jobs and return the seconds of each.

    :param say: prints a line of progress.
    :param every: seconds between two lines about the running jobs.
    :raises JobError: after the first failure, when the other jobs have been stopped.
    """
    by_name = {job.name: job for job in jobs}
    needs = {job.name: [need for need in job.needs if need in by_name] for job in jobs}
    urgent = urgency(needs, {job.name: job.seconds for job in jobs})
    order = TopologicalSorter(needs)
    order.prepare()
    waiting: list[Job] = []
    stop = threading.Event()
    took: dict[str, float] = {}
    running: dict[Future[None], tuple[str, float]] = {}
    begin = spoken = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while order.is_active():
                waiting = sorted(
                    [*waiting, *(by_name[name] for name in order.get_ready())],
                    key=lambda job: (-urgent[job.name], job.name),
                )
                busy = {by_name[name].group for name, _since in running.values()} - {""}
                for job in startable(waiting, busy, at_once - len(running)):
                    waiting.remove(job)
                    say(f"artifacts: {job.label or job.name} ({len(took) + len(running) + 1} of {len(jobs)})")
                    future = pool.submit(job.work, Shell(logs / f"{job.name}.log", stop))
                    running[future] = (job.name, time.monotonic())
                finished, _rest = wait(
                    running, timeout=max(0.0, spoken + every - time.monotonic()), return_when=FIRST_COMPLETED
                )
                for future in finished:
                    name, since = running.pop(future)
                    if error := future.exception():
                        raise JobError(explain(by_name[name].label or name, error, logs / f"{name}.log")) from error
                    took[name] = time.monotonic() - since
                    order.done(name)
                    say(f"artifacts: {by_name[name].label or name}: done in {took[name]:.0f} s")
                if time.monotonic() >= spoken + every:
                    spoken = time.monotonic()
                    going = ", ".join(f"{name} {spoken - since:.0f} s" for name, since in running.values())
                    say(f"artifacts: {going} ({len(took)} of {len(jobs)} done, {spoken - begin:.0f} s in total)")
        finally:
            stop.set()
    return took


def urgency(needs: dict[str, list[str]], seconds: dict[str, float]) -> dict[str, float]:
    """Return for each job the seconds of the longest chain of work that starts with it.

    :raises graphlib.CycleError: when jobs need each other.
    """
    found = dict(seconds)
    for name in reversed([*TopologicalSorter(needs).static_order()]):
        for need in needs[name]:
            found[need] = max(found[need], seconds[need] + found[name])
    return found


def startable(waiting: Sequence[Job], busy: set[str], room: int) -> list[Job]:
    """Return up to ``room`` of the waiting jobs, in their order, none of a group that is ``busy`` or chosen twice."""
    chosen: list[Job] = []
    for job in waiting:
        if len(chosen) < room and job.group not in busy:
            chosen.append(job)
            busy = busy | ({job.group} - {""})
    return chosen


def disk_is_full(text: str) -> bool:
    """Return whether the text of a failure reports a full disk."""
    return any(sign in text.lower() for sign in SIGNS_OF_FULL_DISK)


def explain(label: str, error: BaseException, log: Path) -> str:
    """Return the message of a failed job: the reason, the end of its log, the log's path and the next step."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-TAIL:]
    except OSError:
        lines = []
    tail = "".join(f"\n  | {line[:400]}" for line in lines)
    text = f"{label} failed: {error}{tail}" + (f"\nIts log: {log}." if lines else "")
    if disk_is_full(str(error) + tail):
        return (
            f"{text} The disk is full: free space below {log.parent.parent} and run again; finished artifacts are kept."
        )
    return f"{text} Fix the cause and run again; finished artifacts are kept."
