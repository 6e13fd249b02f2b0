# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Role cluster_existing by ansible-playbook, against a real API server without a network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import existing_objects as objects
import render
from api_server import ApiServer
from repository import ROOT


class Place:
    """A fleet with one cluster that exists, in a directory of the test."""

    def __init__(self, server: ApiServer, directory: Path) -> None:
        self.server, self.directory = server, directory
        self.own = directory / ".state/kubeconfigs/aws"
        self.given = directory / "given/config"
        self.given.parent.mkdir()
        config = yaml.safe_load(server.kubeconfig.read_text())
        authority = Path(config["clusters"][0]["cluster"]["certificate-authority"])
        (self.given.parent / "ca.crt").write_bytes(authority.read_bytes())
        config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
        other = {"name": "other", "context": {"cluster": "test", "user": "nobody"}}
        config["contexts"].append(other)
        config["current-context"] = "other"
        self.given.write_text(yaml.safe_dump(config))

    def play(self, entry: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """One run of one entry point."""
        fleet = render.fleet("existing") | {"directory": str(self.directory), "state": str(self.directory / ".state")}
        fleet["clusters"]["aws"] |= {"kubeconfig": str(self.own), "service_cidr": "10.250.0.0/24"}
        variables = {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "fleet": fleet,
            "cluster_existing_kubeconfig": "given/config",
            "cluster_existing_context": "test",
            **more,
        }
        task = {"ansible.builtin.include_role": {"name": "opendata.platform.cluster_existing", "tasks_from": entry}}
        shown = {"ansible.builtin.debug": {"msg": "API at {{ cluster_found.api.host }}:{{ cluster_found.api.port }}."}}
        tasks = [task, *([] if entry == "absent" else [shown])]
        book = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": tasks}
        path = self.directory / "play.yml"
        path.write_text(yaml.safe_dump([book]))
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "aws,", str(path), *options]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        assert "secret" not in done.stdout.replace("secrets", "") + done.stderr
        return done

    def changes(self, entry: str, *options: str, **more: Any) -> int:
        """How many tasks changed something, in a run that went well."""
        done = self.play(entry, *options, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return int(re.findall(r"changed=(\d+)", done.stdout)[0])


@pytest.fixture
def place(server: ApiServer, tmp_path: Path) -> Iterator[Place]:
    """The fleet, and a node of its cluster."""
    api = Cluster(str(server.kubeconfig))
    node = objects.node("a", ready=False)
    api.request("POST", "/api/v1/nodes", body=node)
    body = {"status": node["status"]}
    api.request("PATCH", "/api/v1/nodes/a/status", body=body, content_type="application/merge-patch+json")
    yield Place(server, tmp_path)
    api.request("DELETE", "/api/v1/nodes/a")


def test_the_fleet_gets_a_kubeconfig_of_its_own(place: Place) -> None:
    before = [each for each in place.server.writes() if "selfsubjectaccessreviews" not in each]
    assert place.changes("main", "--check", "--diff") == 1 and not place.own.exists()
    assert place.changes("main") == 1
    assert place.own.stat().st_mode & 0o777 == 0o600
    made = yaml.safe_load(place.own.read_text())
    assert (made["current-context"], [*(each["name"] for each in made["contexts"])]) == ("aws", ["aws"])
    assert made["clusters"][0]["cluster"]["certificate-authority"] == str(place.given.parent / "ca.crt")
    assert Cluster(str(place.own), "aws").request("GET", "/api/v1/nodes")["items"]
    assert place.changes("main") == 0
    # Another token is another kubeconfig.
    place.given.write_text(place.given.read_text().replace("token: secret", "token: weak"))
    known = {"cluster_found": {"api": {"host": "x", "port": 1}}}
    assert place.changes("main", **known) == 1
    assert [each for each in place.server.writes() if "selfsubjectaccessreviews" not in each] == before


def test_what_was_found_is_a_fact_of_the_cluster(place: Place) -> None:
    done = place.play("check")
    assert done.returncode == 0, done.stdout + done.stderr
    slices = Cluster(str(place.server.kubeconfig)).request(
        "GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
    )
    address, port = slices["endpoints"][0]["addresses"][0], slices["ports"][0]["port"]
    assert f"API at {address}:{port}." in done.stdout
    assert not place.own.exists()


def test_what_forbids_it_stops_the_run(place: Place) -> None:
    done = place.play("main", cluster_existing_context="third")
    assert done.returncode != 0 and not place.own.exists()
    assert "has no context 'third'. Known: other, test." in done.stdout


def test_without_the_fleet_the_cluster_stays(place: Place) -> None:
    assert place.changes("main") == 1
    done = place.play("absent")
    assert done.returncode == 0 and not place.own.exists(), done.stdout
    assert "aws: the cluster and its workloads stay; only the fleet's kubeconfig was removed" in done.stdout
    assert place.changes("absent") == 0
    assert place.given.exists() and Cluster(str(place.server.kubeconfig)).get("/api/v1/nodes/a")
