# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run jobs that need each other: some at once, each with a log, all stopped when one fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from .schedule import startable, urgency
from .shell import JobError, Shell

TAIL = 20
SIGNS_OF_FULL_DISK = ("no space left on device", "disk quota exceeded")


@dataclass
class Job:
    """One piece of work: ``work(shell)`` makes it; ``seconds`` is what it takes about.

    Of the jobs of one ``group`` only one runs at a time.
    """

    name: str
    work: Callable[[Shell], None]
    needs: list[str] = field(default_factory=list)
    seconds: float = 1
    label: str = ""
    group: str = ""


def run_jobs(
    jobs: Sequence[Job], logs: Path, at_once: int, say: Callable[[str], None], every: float = 15
) -> dict[str, float]:
    """Run all jobs and return the seconds that each took.

    :param say: takes one line for people.
    :raises JobError: at the first failure, after the other jobs were stopped.
    """
    by_name = {job.name: job for job in jobs}
    needs = {job.name: [need for need in job.needs if need in by_name] for job in jobs}
    urgent = urgency(needs, {job.name: job.seconds for job in jobs})
    groups = {job.name: job.group for job in jobs}
    stop = threading.Event()
    took: dict[str, float] = {}
    running: dict[Future[None], tuple[str, float]] = {}
    begin = spoken = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while len(took) < len(jobs):
                names = {name for name, _since in running.values()}
                for name in startable(needs, urgent, set(took), names, groups, at_once - len(running)):
                    say(f"artifacts: {by_name[name].label or name} ({len(took) + len(running) + 1} of {len(jobs)})")
                    running[pool.submit(by_name[name].work, Shell(logs / f"{name}.log", stop))] = (
                        name,
                        time.monotonic(),
                    )
                finished, _rest = wait(
                    running, timeout=max(0.0, spoken + every - time.monotonic()), return_when=FIRST_COMPLETED
                )
                for future in finished:
                    name, since = running.pop(future)
                    if error := future.exception():
                        raise JobError(explain(by_name[name].label or name, error, logs / f"{name}.log")) from error
                    took[name] = time.monotonic() - since
                    say(f"artifacts: {by_name[name].label or name}: done in {took[name]:.0f} s")
                if time.monotonic() >= spoken + every:
                    spoken = time.monotonic()
                    going = ", ".join(f"{name} {spoken - since:.0f} s" for name, since in running.values())
                    say(f"artifacts: {going} ({len(took)} of {len(jobs)} done, {spoken - begin:.0f} s in all)")
        finally:
            stop.set()
    return took


def disk_is_full(text: str) -> bool:
    """Return whether words of a failure tell of a full disk."""
    return any(sign in text.lower() for sign in SIGNS_OF_FULL_DISK)


def explain(label: str, error: BaseException, log: Path) -> str:
    """Return what to tell people about a failed job: reason, the end of its log, where it lies, what to do."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-TAIL:]
    except OSError:
        lines = []
    tail = "".join(f"\n  | {line[:400]}" for line in lines)
    text = f"{label} failed: {error}{tail}" + (f"\nIts log: {log}." if lines else "")
    if disk_is_full(str(error) + tail):
        return f"{text} The disk is full: free space below {log.parent.parent} and run again; what is done stays."
    return f"{text} Mend the cause and run again; what is done stays."
