# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What one cluster more costs: makes fleets of 1, 2, 3 meshed clusters of one machine each, from nothing.

Clusters share the machine's processors, so more of them cannot take less time than their work does: what is judged is
the wall time beyond what the processors allow.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT

sys.path.insert(0, str(ROOT / "tests/e2e"))

from fleet import Fleet


class Made(NamedTuple):
    """What making a fleet took: seconds of the wall, seconds of all processors."""

    wall: float
    processor: float


def main() -> None:
    """Print a line for each number of clusters, and the ratio of each to the one before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print("clusters  wall s  CPU s  wall / before  CPU / before  wall beyond CPU")
    for _ in range(given.rounds):
        before = None
        for count in given.counts:
            made = make(count)
            line = f"{count:8}  {made.wall:6.1f}  {made.processor:5.1f}"
            if before:
                wall, processor = made.wall / before.wall, made.processor / before.processor
                line += f"  {wall:13.2f}  {processor:12.2f}  {wall / max(processor, 1):15.2f}"
            print(line, flush=True)
            before = made


def make(count: int) -> Made:
    """Make a fleet and take it down; only the making is measured."""
    with tempfile.TemporaryDirectory() as directory:
        fleet = Fleet(Path(directory) / "inventories/bench", "10.75.0")
        names = [f"c{number}" for number in range(1, count + 1)]
        machines = {name: [(f"{name}-1", "control_plane", last)] for last, name in enumerate(names, start=11)}
        fleet.lay_out({name: {} for name in names}, machines)
        fleet.must("playbooks/artifacts.yml", timeout=3600)
        start, busy = time.monotonic(), processor_seconds()
        try:
            fleet.must(timeout=1200)
            return Made(time.monotonic() - start, processor_seconds() - busy)
        finally:
            fleet.down()


def processor_seconds() -> float:
    """Seconds that all processors of this machine have worked since its start (/proc/stat, in hundredths)."""
    user, nice, system, _idle, _wait, irq, softirq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / 100


if __name__ == "__main__":
    main()
