# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Ends what a killed run of tests leaves behind: its processes, and the fleets that its tests created on this host.

verbs/test.py starts it with a pipe, which the kernel closes with test.py, however that ends.
"""

import contextlib
import getpass
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

DONE = "done"
# Every process of a run has it in its environment.
MARK = "ODP_TEST_RUN"


def main() -> None:
    """Wait for the end of the run in the first argument; clean up unless the run said that it is done."""
    if sys.stdin.read() == DONE:
        return
    count = end(sys.argv[1])
    fleets = remove(Path(tempfile.gettempdir()) / f"pytest-of-{getpass.getuser()}")
    print(f"odp: the tests were killed. Processes ended: {count}. Fleets removed: {', '.join(fleets) or 'none'}.")


def end(run: str) -> int:
    """Kill all processes of a run, and return how many there were."""
    ended = set()
    while pids := marked(run):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended |= pids
        time.sleep(0.05)
    return len(ended)


def marked(run: str) -> set[int]:
    """Return the processes of a run, without zombies, whose environment is empty."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={run}".encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found


def remove(place: Path) -> list[str]:
    """Remove the fleets of this host whose inventories are below a directory, and return their names."""
    # Only a killed run needs Ansible; the import of hosts makes the collection importable.
    import hosts  # noqa: F401

    # isort: split
    from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host

    found = {name: record["directory"] for name, record in host.records().items()}
    ours = {name: directory for name, directory in found.items() if Path(directory).is_relative_to(place)}
    for name, directory in ours.items():
        host.remove_fleet(name, directory, check=False)
    return sorted(ours)


if __name__ == "__main__":
    main()
