# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One fleet under test: its inventory, its runs of ansible-playbook, its machines and clusters."""

import contextlib
import datetime
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
MUTATING = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass
class Run:
    """What one run of a playbook left: exit code, output, seconds, changes of each host."""

    code: int
    output: str
    seconds: float
    changed: dict[str, int] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        return sum(self.changed.values())

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


class Fleet:
    """A copy of inventories/local under a name, bridge, network and ports of its own."""

    def __init__(self, directory: Path, network: str = "10.78.0") -> None:
        self.directory = directory
        self.network = network
        self.enter: list[str] = []  # before each run of a playbook
        (directory / "group_vars").mkdir(parents=True)
        local = ROOT / "inventories/local"
        self.inventory = yaml.safe_load((local / "hosts.yml").read_text().replace("10.77.0", network))
        self.services = self.inventory["clusters"]["hosts"]["north"].pop("cluster_services")
        (directory / "group_vars/nodes.yml").write_text((local / "group_vars/nodes.yml").read_text())
        settings = yaml.safe_load((local / "group_vars/all.yml").read_text().replace("10.77.0", network))
        settings |= {
            "machine_nspawn_bridge": f"odp-{self.name}",
            "registry_port": 5500,
            "registry_push_port": 5501,
            "registry_files_port": 5580,
            # Only the tests of the platform want it.
            "platform_source": "none",
        }
        (directory / "group_vars/all.yml").write_text(yaml.safe_dump(settings))
        self.write()

    def deliver(self) -> None:
        """From now on the fleet has Flux and the services of inventories/local."""
        path = self.directory / "group_vars/all.yml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"platform_source": "oci"}))
        self.inventory["clusters"]["hosts"]["north"]["cluster_services"] = [*self.services]
        self.write()

    @contextlib.contextmanager
    def inside(self, enter: list[str]) -> Iterator[None]:
        """Run playbooks behind the command `enter` until the block ends; whatever happened, down ends it."""
        self.enter = enter
        try:
            yield
        finally:
            ended = self.down()
            self.enter = []
        assert ended.code == 0, ended.tail()

    def down(self) -> Run:
        return self.play("playbooks/down.yml", "-e", f"down_confirm={self.name}")

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def state(self) -> Path:
        return self.directory / ".state"

    @property
    def cache(self) -> Path:
        """What the tests' own kubectl and helm keep of the APIs: beside the fleet, which must not leave its own."""
        return self.directory.parent / "cache"

    def write(self) -> None:
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(self.inventory, sort_keys=False))

    def lay_out(self, clusters: dict[str, dict[str, object]], machines: dict[str, list[tuple[str, str, int]]]) -> None:
        """Other clusters and machines than those of inventories/local.

        clusters: what each has beside the ranges that it is given here.
        machines: by cluster the name, role and last part of the address of each.
        """
        self.inventory["clusters"]["hosts"] = {
            name: {
                "cluster_id": number,
                "cluster_pod_cidr": f"10.{number}.0.0/16",
                "cluster_service_cidr": f"10.10{number}.0.0/16",
                **own,
            }
            for number, (name, own) in enumerate(clusters.items(), start=1)
        }
        self.inventory["nodes"]["hosts"] = {
            name: {"node_cluster": cluster, "node_role": role, "node_address": f"{self.network}.{last}"}
            for cluster, here in machines.items()
            for name, role, last in here
        }
        self.write()

    def add_worker(self, name: str, cluster: str, last: int) -> None:
        """Add a machine made here; `last` is the last part of its address."""
        self.inventory["nodes"]["hosts"][name] = {
            "node_cluster": cluster,
            "node_role": "worker",
            "node_address": f"{self.network}.{last}",
        }
        self.write()

    def add_cluster(self, name: str, number: int, last: int) -> None:
        """Add a cluster of one machine made here; `last` is the last part of its address."""
        ranges = {"cluster_pod_cidr": f"10.{number}.0.0/16", "cluster_service_cidr": f"10.10{number}.0.0/16"}
        self.inventory["clusters"]["hosts"][name] = {"cluster_id": number, **ranges}
        node = {"node_cluster": name, "node_role": "control_plane", "node_address": f"{self.network}.{last}"}
        self.inventory["nodes"]["hosts"][f"{name}-1"] = node
        self.write()

    def remove_cluster(self, name: str) -> None:
        """Take a cluster and its machine out of the inventory."""
        del self.inventory["clusters"]["hosts"][name]
        del self.inventory["nodes"]["hosts"][f"{name}-1"]
        self.write()

    def existing_hosts(self, directory: Path, machines: dict[str, int]) -> "Fleet":
        """Another fleet whose machines exist already, reached with this one's key; the last part of each address."""
        other = Fleet(directory, self.network)
        other.inventory = {
            "clusters": {"hosts": {"metal": {"cluster_provider": "kubeadm"}}},
            "nodes": {
                "hosts": {
                    name: {
                        "node_address": f"{self.network}.{last}",
                        "node_role": "worker" if number else "control_plane",
                    }
                    for number, (name, last) in enumerate(machines.items())
                },
                "vars": {"node_cluster": "metal"},
            },
        }
        variables = yaml.safe_load((directory / "group_vars/nodes.yml").read_text())
        text = yaml.safe_dump(variables).replace("{{ inventory_dir }}/.state", str(self.state))
        (directory / "group_vars/nodes.yml").write_text(text)
        other.write()
        return other

    def command(self, playbook: str = "site.yml", *arguments: str) -> list[str]:
        binary = Path(sys.executable).with_name("ansible-playbook")
        return [str(binary), playbook, "-i", str(self.directory), *arguments]

    def _start(self, playbook: str = "site.yml", *arguments: str) -> subprocess.Popen[str]:
        """Start a run in a process group of its own; what it prints can be read."""
        return subprocess.Popen(
            [*self.enter, *self.command(playbook, *arguments)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def play(self, playbook: str = "site.yml", *arguments: str, timeout: float = 600) -> Run:
        """Run a playbook to its end; output of a run that exceeds its time limit is part of the failure."""
        started = time.monotonic()
        process = self._start(playbook, *arguments)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"{playbook} exceeded {timeout:.0f} s:\n{output[-6000:]}") from None
        return result(process.returncode, output, time.monotonic() - started)

    def must(self, playbook: str = "site.yml", *arguments: str, timeout: float = 600) -> Run:
        run = self.play(playbook, *arguments, timeout=timeout)
        assert run.code == 0, run.tail()
        return run

    def build(self) -> None:
        """Build or download what the fleet is made from, where it is not cached."""
        self.must("playbooks/artifacts.yml", timeout=45 * 60)

    def ready(self, cluster: str, count: int) -> bool:
        """Whether exactly so many nodes of a cluster are Ready."""
        lines = self.kubectl(cluster, "get", "nodes", "--no-headers", check=False).splitlines()
        return len([line for line in lines if line.split()[1] == "Ready"]) == count

    def kill_in(self, stage: str, chance: random.Random, tasks: int) -> str:
        """SIGKILL the run and its workers at a random task of a stage; returns the task's line ('' if it ended)."""
        process = self._start()
        victim, _seen = reach(process, stage, chance.randint(1, tasks))
        if victim:
            time.sleep(chance.uniform(0, 0.8))  # not a wait: the moment within the task is the random part
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
        return victim

    def disturbed_in(self, stage: str, task: int, disturb: Callable[[], object], playbook: str = "site.yml") -> Run:
        """A run that something happens to at the nth task of a stage, a regular expression for what it prints."""
        process = self._start(playbook)
        victim, seen = reach(process, stage, task)
        assert victim, seen[-3000:]
        started = time.monotonic()
        disturb()
        seen += process.stdout.read()
        return result(process.wait(), seen, time.monotonic() - started)

    def ssh(self, node: str, script: str, check: bool = True, timeout: float = 60) -> str:
        """Run a shell script on a node, as root."""
        address = self.inventory["nodes"]["hosts"][node]["node_address"]
        options = [
            f"UserKnownHostsFile={self.state}/ssh/known_hosts",
            "BatchMode=yes",
            "ConnectTimeout=5",
            "LogLevel=ERROR",
        ]
        command = ["ssh", "-i", str(self.state / "ssh/id_ed25519"), *(f"-o{option}" for option in options)]
        result = run([*command, f"root@{address}", script], timeout)
        assert not check or result.returncode == 0, f"{node}: {script}\n{result.stdout}{result.stderr}"
        return result.stdout

    def kubectl(self, cluster: str, *arguments: str, check: bool = True, manifests: object = None) -> str:
        """Run kubectl of the artifact store against one cluster."""
        program, kubeconfig = self.artifact("binaries", "kubectl"), self.state / "kubeconfigs" / cluster
        text = yaml.safe_dump_all(manifests) if manifests else None
        options = [f"--kubeconfig={kubeconfig}", f"--cache-dir={self.cache}"]
        result = run([str(program), *options, *arguments], 150, text)
        assert not check or result.returncode == 0, f"{cluster}: {arguments}\n{result.stdout}{result.stderr}"
        return result.stdout

    def helm(self, cluster: str, *arguments: str) -> str:
        """Run helm of the artifact store against one cluster."""
        helm, kubeconfig = str(self.artifact("binaries", "helm")), self.state / "kubeconfigs" / cluster
        command = ["env", f"KUBECACHEDIR={self.cache}", helm, f"--kubeconfig={kubeconfig}", *arguments]
        done = run(command, 150)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def artifact(self, kind: str, name: str, path: str = "") -> Path:
        """What the fleet's lock names by its digest, in the artifact store; `path` within it when it is not `name`."""
        lock = yaml.safe_load((self.state / "artifacts.lock.yml").read_text())
        digest = lock[kind][name]["digest"].removeprefix("sha256:")
        for made in (Path.home() / ".cache/odp/artifacts").glob("*.json"):
            if digest in made.read_text() and (found := made.with_suffix("") / (path or name)).exists():
                return found
        raise AssertionError(f"no {name} with digest {digest} in the artifact store")

    def mutating_requests(self, server: str, since: float) -> list[str]:
        """Mutating requests of clients outside the cluster since a moment, from the API server's audit log."""
        found = []
        for line in self.ssh(server, "cat /var/log/kubernetes/audit*.log").splitlines():
            event = json.loads(line)
            # Who was refused has no name.
            user = event["user"].get("username", "system:anonymous")
            moment = event["stageTimestamp"]
            if user.startswith("system:") or event["verb"] not in MUTATING or "dryRun=All" in event["requestURI"]:
                continue
            if datetime.datetime.fromisoformat(moment).timestamp() >= since:
                found.append(f"{moment} {user} {event['verb']} {event['requestURI']}")
        return found


def result(code: int, output: str, seconds: float) -> Run:
    """The run with the changes that its recap counts."""
    return Run(code, output, seconds, {match[1]: int(match[3]) for match in RECAP.finditer(output)})


def reach(process: subprocess.Popen[str], stage: str, task: int, timeout: float = 400) -> tuple[str, str]:
    """Read what a run prints up to the nth task of a stage; that task's line ('' if the run ended), and all lines."""
    deadline, seen = time.monotonic() + timeout, []
    for line in process.stdout:
        seen.append(line)
        assert time.monotonic() < deadline, "".join(seen[-40:])
        task -= bool(re.match(rf"^\[[\d:]+\] {stage} \|", line))
        if task == 0:
            return line.strip(), "".join(seen)
    return "", "".join(seen)


def run(command: list[str], timeout: float, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with standard input `text`, both outputs captured."""
    stdin = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    return subprocess.run(command, text=True, capture_output=True, timeout=timeout, check=False, **stdin)


def wait_until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Watch a condition that has no event to wait for; fails with what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


def odp(*arguments: str, inventory: Path | None = None, timeout: float = 300) -> tuple[int, str]:
    """Run a verb as a person does, of an inventory where it names none itself; exit code and standard output."""
    environment = {**os.environ, "ODP_INVENTORY": str(inventory or "local")}
    command = [str(ROOT / "odp"), *arguments]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=timeout, check=False
    )
    return result.returncode, result.stdout


def pod(name: str, node: str, *arguments: str) -> dict:
    container = {"name": "main", "image": "ghcr.io/opendata/testserver:0.1.0", "args": list(arguments)}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
