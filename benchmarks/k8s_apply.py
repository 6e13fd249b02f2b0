# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What module k8s_apply takes for 200 objects, beside kubernetes.core.k8s and kubectl; see README.md."""

import argparse
import datetime
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from api_server import ApiServer, api_server
from artifact_store import STORE
from benchmarks import ROOT, k8s_objects
from benchmarks.mesh_scale import head, row
from benchmarks.slow_link import slow_link

ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
SETTINGS = f"""
[defaults]
collections_path = {ROOT / ".collections"}
stdout_callback = ansible.posix.json
[connection]
pipelining = true
"""
MILLISECONDS = (0, 20)  # there and back
RUNS = ("first", "again", "one change")
WRITES = [200, 0, 1]  # of the module


class Files(NamedTuple):
    """What each tool is given."""

    kubeconfig: Path
    manifests: Path


def ours(files: Files) -> float:
    """One task of the module."""
    options = {"kubeconfig": str(files.kubeconfig), "files": [str(files.manifests)]}
    return task("opendata.platform.k8s_apply", options)


def core(files: Files) -> float:
    """One task of kubernetes.core, with server-side apply."""
    options = {"kubeconfig": str(files.kubeconfig), "src": str(files.manifests), "state": "present", "apply": True}
    return task("kubernetes.core.k8s", {**options, "server_side_apply": {"field_manager": "ansible"}})


def kubectl(files: Files) -> float:
    """One run of kubectl."""
    command = [str(sorted(STORE.glob("*/kubectl"))[-1]), "apply", "--server-side", "-f", str(files.manifests)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--kubeconfig", str(files.kubeconfig)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"kubectl: {done.stderr}")
    return time.perf_counter() - start


TOOLS: dict[str, Callable[[Files], float]] = {"k8s_apply": ours, "kubernetes.core.k8s": core, "kubectl": kubectl}


def task(module: str, options: dict[str, Any]) -> float:
    """Run a playbook of this task; return the task's seconds as Ansible notes them, without Ansible's own start."""
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [{module: options}]}
    with tempfile.TemporaryDirectory() as directory:
        playbook, settings = Path(directory) / "playbook.yml", Path(directory) / "ansible.cfg"
        playbook.write_text(yaml.safe_dump([play]))
        settings.write_text(SETTINGS)
        command, environment = [str(ANSIBLE), "-i", "localhost,", str(playbook)], {"ANSIBLE_CONFIG": str(settings)}
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stdout[-3000:]}{done.stderr}")
    noted = json.loads(done.stdout)["plays"][0]["tasks"][0]["task"]["duration"]
    start, end = (datetime.datetime.fromisoformat(noted[key]) for key in ("start", "end"))
    return (end - start).total_seconds()


def once(server: ApiServer, tool: Callable[[Files], float], port: int, prefix: str) -> list[tuple[float, int]]:
    """Apply new objects, the same again, one of them changed; return seconds and writing requests of each."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    measured = []
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Path(directory) / "kubeconfig", Path(directory) / "manifests.yaml")
        files.kubeconfig.write_text(yaml.safe_dump(config))
        for values in ("first", "first", "second"):
            files.manifests.write_text(yaml.safe_dump_all(k8s_objects.manifests(prefix, values)))
            before = len(server.writes())
            measured.append((tool(files), len(server.writes()) - before))
    return measured


def turned(number: int) -> list[Callable[[Files], float]]:
    """Return the tools so that another begins in each round: the first one meets a server that has just started."""
    tools = [*TOOLS.values()]
    return tools[number % len(tools) :] + tools[: number % len(tools)]


def compare(rounds: int) -> Iterator[tuple[int, list[list[tuple[float, int]]]]]:
    """Yield for each distance and round what each tool measured, in turn and on a server of its own."""
    for milliseconds in MILLISECONDS:
        for number in range(rounds):
            with (
                tempfile.TemporaryDirectory() as directory,
                api_server(Path(directory)) as server,
                slow_link(server.port, milliseconds / 2000) as far,
            ):
                port = far if milliseconds else server.port
                found = {tool: once(server, tool, port, tool.__name__) for tool in turned(number)}
                done = [found[tool] for tool in TOOLS.values()]
            if (writes := [each for _seconds, each in done[0]]) != WRITES:
                raise RuntimeError(f"round {number}: the module wrote {writes} times, not {WRITES}: nothing to measure")
            yield milliseconds, done


def main() -> None:
    """Measure all tools in turn, and print medians and the medians of each round's ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    wish = parser.parse_args()
    if not sorted(STORE.glob("*/kubectl")):
        parser.error(f"no kubectl under {STORE}: ./odp up makes it")
    head("ms", "run", *(f"{name} s" for name in TOOLS), *(f"{name}: ratio" for name in [*TOOLS][1:]), "writes")
    for milliseconds, measured in itertools.groupby(compare(wish.rounds), key=lambda each: each[0]):
        rounds = [done for _milliseconds, done in measured]
        for number, name in enumerate(RUNS):
            seconds = [[tool[number][0] for tool in done] for done in rounds]
            ratios = [[each / own for each in others] for own, *others in seconds]
            columns = [statistics.median(column) for table in (seconds, ratios) for column in zip(*table, strict=True)]
            row(milliseconds, name, *columns, " / ".join(str(tool[number][1]) for tool in rounds[-1]))


if __name__ == "__main__":
    main()
