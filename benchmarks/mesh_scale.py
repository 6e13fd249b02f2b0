# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the modules take for a full mesh of N clusters, beside `helm upgrade` for each pair; see README.md."""

import argparse
import contextlib
import hashlib
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from api_server import api_server
from benchmarks import helm_pairs
from benchmarks.mesh_member import Member
from benchmarks.module_run import Run, run_module

PARTS = ("ca", "certs", "info", "preflight", "peers")
Runs = dict[str, list[Run]]  # of one full mesh, by part


def connect(members: list[Member], authority: Path) -> Runs:
    """Run what role clustermesh runs, in its order: trust, records, preflight, peers."""
    runs: Runs = defaultdict(list)

    def run(part: str, **options: Any) -> dict[str, Any]:
        done = run_module("cilium_clustermesh" if part == "peers" else f"cilium_clustermesh_{part}", **options)
        runs[part].append(done)
        return done.result

    ca = run("ca", path=str(authority))
    trust = {"ca_cert": ca["ca_cert"], "ca_key": (authority / "ca.key").read_text(), "ca_bundle": ca["bundle"]}
    for each in members:
        others = [peer.name for peer in members if peer != each]
        run("certs", kubeconfig=each.kubeconfig, name=each.name, auth_mode="cluster", remote_users=others, **trust)
    records = [run("info", kubeconfig=each.kubeconfig)["cluster"] for each in members]
    run("preflight", clusters=records, ignore=["POLICY_SCOPE"])
    mark = hashlib.sha256(ca["bundle"].encode()).hexdigest()
    for each in members:
        run("peers", kubeconfig=each.kubeconfig, name=each.name, id=each.number, peers=records, ca_fingerprint=mark)
    return runs


def once(members: list[Member]) -> tuple[Runs, Runs]:
    """Connect clusters that are in no mesh, then again. Raise RuntimeError when that does not do what it should."""
    for each in members:
        each.leave()
    with tempfile.TemporaryDirectory() as directory:
        first = connect(members, Path(directory) / "mesh")
        writes = [each.writes() for each in members]
        second = connect(members, Path(directory) / "mesh")
    changed = [sum(run.result.get("changed", False) for run in flat(runs)) for runs in (first, second)]
    if changed != [2 * len(members) + 1, 0] or writes != [each.writes() for each in members]:
        raise RuntimeError(f"{changed[0]} runs made the mesh, {changed[1]} changed it again: nothing to measure")
    return first, second


def flat(runs: Runs) -> list[Run]:
    """Return the runs of all parts."""
    return [run for part in runs.values() for run in part]


def seconds(runs: Runs) -> float:
    """Of all runs, one after the other."""
    return sum(run.seconds for run in flat(runs))


def row(*cells: Any) -> None:
    """Print a row of a table; fractions with two digits."""
    print("|", " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)


def head(*cells: str) -> None:
    """Print the head of a table."""
    print()
    row(*cells)
    row(*["---"] * len(cells))


def show(name: str, rounds: list[Runs], size: int) -> float:
    """Print the medians of some rounds; return the processors' seconds."""
    wall = statistics.median(map(seconds, rounds))
    used = statistics.median(sum(run.processor_seconds for run in flat(runs)) for runs in rounds)
    own = {part: statistics.median(run.own_seconds for runs in rounds for run in runs[part]) for part in PARTS}
    peak = max(run.peak_mib for runs in rounds for run in flat(runs))
    parts = [f"{1000 * own[part]:.0f}" for part in PARTS]
    row(size, name, wall, wall / size, used, used / size, *parts, f"{peak:.0f}")
    return used


def beside_helm(size: int, rounds: list[Runs], used: float, pairs: helm_pairs.Pairs) -> None:
    """Print how much longer helm takes."""
    wall, upgrade = statistics.median(map(seconds, rounds)), pairs.upgrade
    upgrades = 2 * pairs.count
    sample = f"{pairs.measured} of {pairs.count}"
    ratios = [upgrades * upgrade.seconds / wall, upgrades * upgrade.processor_seconds / used]
    row(size, sample, upgrade.seconds, upgrade.processor_seconds, *ratios, size * upgrade.processor_seconds / used)


def main() -> None:
    """Start the servers once, measure each size on the first of them, stop them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[2, 5, 10, 20], help="clusters in the mesh")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--pairs", type=int, default=10, help="most pairs that helm connects for each size")
    wish = parser.parse_args()
    if helm_pairs.found() is None:
        parser.error(f"no helm or no chart of Cilium under {helm_pairs.STORE}: ./odp up makes them")
    with contextlib.ExitStack() as stack:
        members = []
        for number in range(1, max(wish.sizes) + 1):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="odp-benchmark-"))
            members.append(Member(number, stack.enter_context(api_server(Path(directory)))))
            members[-1].furnish()
            helm_pairs.upgrade(members[-1], [])
        head("N", "run", "s", "s / N", "CPU s", "CPU s / N", *(f"{part} ms" for part in PARTS), "MiB")
        compared = []
        for size in wish.sizes:
            made, again = zip(*(once(members[:size]) for _ in range(wish.rounds)), strict=True)
            used = show("from nothing", made, size)
            show("again", again, size)
            compared.append((size, made, used, helm_pairs.measure(members[:size], wish.pairs)))
        head("N", "pairs measured", "s an upgrade", "CPU s an upgrade", "ratio", "CPU ratio", "CPU ratio, once each")
        for each in compared:
            beside_helm(*each)


if __name__ == "__main__":
    main()
