# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Two real clusters of kind, meshed, from nothing to nothing. Needs a container engine that can run kind."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.container_engine.cli import Engine, EngineError

from fleet import RECAP, ROOT, Run

pytestmark = pytest.mark.e2e
NAME = "e2e-kind"
# Beside a fleet of your own.
PORTS = {"cluster_kind_http_port": 0, "cluster_kind_https_port": 0}


def engine() -> Engine:
    """The first engine that answers; without one the test is skipped, with what each said."""
    said = []
    for program in ("docker", "podman"):
        try:
            Engine(program).info()
            return Engine(program)
        except EngineError as error:
            said.append(f"{program}: {str(error).splitlines()[-1]}")
    pytest.skip(f"no container engine answers, so nothing of kind was run: {'; '.join(said)}")


class KindFleet:
    """A copy of inventories/mesh under a name and ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.engine = directory, engine()
        shutil.copytree(ROOT / "inventories/mesh", directory, ignore=shutil.ignore_patterns(".state"))
        self.inventory = yaml.safe_load((directory / "hosts.yml").read_text())
        self.inventory["clusters"]["vars"] |= {**PORTS, "cluster_kind_engine": self.engine.program}
        for name in ("east", "west"):
            own = self.inventory["clusters"]["hosts"].pop(name)
            self.inventory["clusters"]["hosts"][f"e2e-{name}"] = {k: v for k, v in own.items() if k not in PORTS}
        self.write()

    def write(self) -> None:
        """The inventory as it is now, with Flux and a registry of its own."""
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(self.inventory))
        settings = {"platform_source": "oci", "registry_push_port": 5511}
        (self.directory / "group_vars").mkdir(exist_ok=True)
        (self.directory / "group_vars/all.yml").write_text(yaml.safe_dump(settings))

    def run(self, playbook: str = "site.yml", *arguments: str) -> Run:
        """What a run of a playbook left."""
        command = ["ansible-playbook", playbook, "-i", str(self.directory), *arguments]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        changed = {row[0]: int(row[2]) for row in RECAP.findall(done.stdout)}
        return Run(done.returncode, done.stdout + done.stderr, 0, changed)

    def must(self, *arguments: str) -> Run:
        """The same, and it must end well."""
        run = self.run(*arguments)
        assert run.code == 0, run.tail()
        return run

    def kubectl(self, cluster: str, *arguments: str) -> str:
        """What kubectl in the first node says."""
        return self.engine.run("exec", f"{cluster}-control-plane", "kubectl", *arguments).decode()

    def containers(self) -> list[str]:
        """Containers on the fleet's network."""
        return [each["Name"].lstrip("/") for each in self.engine.containers(f"network=odp-{NAME}")]


@pytest.fixture(scope="module")
def kind_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindFleet]:
    """The fleet, up; taken down at the end whatever happened."""
    made = KindFleet(tmp_path_factory.mktemp("inventories") / NAME)
    try:
        made.must()
        yield made
    finally:
        made.run("playbooks/down.yml")


@pytest.mark.timeout(2400)
def test_up_makes_meshed_clusters_without_kube_proxy(kind_fleet: KindFleet) -> None:
    for cluster in ("e2e-east", "e2e-west"):
        nodes = json.loads(kind_fleet.kubectl(cluster, "get", "nodes", "-o", "json"))["items"]
        assert [node["metadata"]["name"] for node in nodes] == [f"{cluster}-control-plane"]
        sets = kind_fleet.kubectl(cluster, "get", "daemonsets", "-n", "kube-system", "-o", "name").split()
        assert "daemonset.apps/cilium" in sets
        assert "daemonset.apps/kube-proxy" not in sets
    assert kind_fleet.must("playbooks/mesh_status.yml").changes == 0


def test_second_run_changes_nothing(kind_fleet: KindFleet) -> None:
    run = kind_fleet.must()
    assert run.changes == 0, run.output


def test_cluster_that_was_stopped_is_started(kind_fleet: KindFleet) -> None:
    kind_fleet.engine.run("stop", "e2e-east-control-plane")
    assert "start the cluster" in kind_fleet.must("site.yml", "--diff").output


def test_changed_config_is_refused_and_the_cluster_stays(kind_fleet: KindFleet) -> None:
    before = kind_fleet.kubectl("e2e-west", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    own = kind_fleet.inventory["clusters"]["hosts"]["e2e-west"]
    own["cluster_kind_workers"] = 1
    kind_fleet.write()
    run = kind_fleet.run()
    assert run.code != 0
    assert "e2e-west: its config was changed (nodes[1]" in run.output
    assert kind_fleet.kubectl("e2e-west", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") == before
    del own["cluster_kind_workers"]
    kind_fleet.write()


def test_down_leaves_nothing(kind_fleet: KindFleet) -> None:
    kind_fleet.must("playbooks/down.yml")
    assert kind_fleet.containers() == []
    with pytest.raises(EngineError, match=r"not found|no such"):
        kind_fleet.engine.run("network", "inspect", f"odp-{NAME}")
    assert not (kind_fleet.directory / ".state").exists()
