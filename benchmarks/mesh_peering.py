# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the mesh adds to a run of network.yml that changes nothing, on a fleet that is there; see README.md."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks import ROOT

PLAYBOOKS = ROOT / "playbooks"
MESH = "opendata.platform.clustermesh"
BIN = Path(sys.executable).parent
LOCK_SECONDS = 300


def without_mesh(directory: Path) -> Path:
    """Write a copy of network.yml that leaves the mesh alone; return its path."""
    plays = yaml.safe_load((PLAYBOOKS / "network.yml").read_text())
    for play in plays:
        play["tasks"] = [task for task in play["tasks"] if task["ansible.builtin.include_role"]["name"] != MESH]
    (directory / "tasks").symlink_to(PLAYBOOKS / "tasks")
    (directory / "network.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    return directory / "network.yml"


def play(playbook: Path, inventory: str, *options: str) -> float:
    """Run the playbook, which must change nothing; return the seconds. Others may hold the fleet's lock for a while."""
    command = [str(BIN / "ansible-playbook"), str(playbook), "-i", inventory, *options]
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        said = done.stdout + done.stderr
        if "is in use by" not in said or time.monotonic() > give_up:
            break
        time.sleep(3)
    changed = re.findall(r"changed=(\d+)", said)
    if done.returncode or not changed or set(changed) != {"0"}:
        sys.exit(f"{said}\n{playbook} failed, or changes something: first ./odp up {inventory}")
    return seconds


def clusters(inventory: str) -> int:
    """Return how many clusters the fleet has."""
    command = [str(BIN / "ansible-inventory"), "-i", inventory, "--list"]
    listed = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    return len(listed["clusters"]["hosts"])


def main() -> None:
    """Run the two playbooks in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inventory", help="path of the inventory of a fleet that `./odp up` made")
    parser.add_argument("--runs", type=int, default=5, help="runs of each of the two")
    wish = parser.parse_args()
    size = clusters(wish.inventory)
    with tempfile.TemporaryDirectory(prefix="odp-benchmark-") as directory:
        playbooks = {"with the mesh": PLAYBOOKS / "network.yml", "without": without_mesh(Path(directory))}
        # Only a fleet that is as its inventory says is measured, so that it stays as it is.
        play(playbooks["with the mesh"], wish.inventory, "--check")
        seconds: dict[str, list[float]] = {name: [] for name in playbooks}
        for _ in range(wish.runs):
            for name, playbook in playbooks.items():
                seconds[name].append(play(playbook, wish.inventory))
    for name, found in seconds.items():
        print(f"{name}: median {statistics.median(found):.2f} s of {' '.join(f'{each:.2f}' for each in found)}")
    adds = [one - other for one, other in zip(*seconds.values(), strict=True)]
    median = statistics.median(adds)
    print(f"the mesh adds {median:.2f} s (median of the pairs), {median / size:.2f} s for each of {size} clusters")


if __name__ == "__main__":
    main()
