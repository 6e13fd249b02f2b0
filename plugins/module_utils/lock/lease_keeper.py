# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The process that renews the Leases of a run.

It is not a thread, because ansible-playbook forks for each task: a fork during a TLS request would leave the child with
locks that are never released. It reads one JSON object per line and answers each with `{"refused": [...]}`. It writes
the same when a Lease is lost, and releases all of them when its input or its parent ends.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator

from .lease import Run
from .lease_client import Leases

# How often to check for the end of the parent, whose other children may keep the input open.
LOOK_SECONDS = 1


def main() -> None:
    """Arguments: the run as JSON, and the duration of a Lease in seconds."""
    seconds = int(sys.argv[2])
    leases = Leases(Run(**json.loads(sys.argv[1])), seconds)
    due = time.monotonic() + seconds / 3
    try:
        for line in _lines(os.getppid()):
            if line:
                _say(leases.take(json.loads(line)))
            elif time.monotonic() >= due:
                if lost := leases.renew():
                    _say(lost)
                due = time.monotonic() + seconds / 3
    finally:
        leases.release()


def _say(refused: list[str]) -> None:
    print(json.dumps({"refused": refused}), flush=True)


def _lines(parent: int) -> Iterator[str]:
    """Lines of standard input; an empty one after each interval without any."""
    rest = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            yield ""
            continue
        if not (read := os.read(0, 65536)):
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from (line.decode() for line in lines)


if __name__ == "__main__":
    main()
