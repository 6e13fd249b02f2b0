# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The stage network by ansible-playbook, on clusters that exist: a real API server, with what the test writes there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import existing_objects as objects
from api_server import ApiServer
from repository import ROOT

SYSTEM = "/api/v1/namespaces/kube-system"
ARTIFACTS = {
    "images": {"quay.io/cilium/cilium:v1.20.2": {"origin": "download", "digest": f"sha256:{'a' * 64}"}},
    "files": {
        "cilium_chart": {"version": "1.20.2", "path": "/does/not/exist"},
        "gateway_api_crds": {"version": "v1.6.3", "path": "/does/not/exist"},
    },
}
THEIRS = {"cluster": {"name": "aws"}, "kubeProxyReplacement": True, "tls": {"ca": {"key": "very-secret"}}}
Stage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stage(server: ApiServer, tmp_path: Path) -> Stage:
    """stage("network.yml", "--limit=aws"): one run for an inventory of clusters aws (in the mesh of one) and google."""
    common = {"cluster_provider": "existing", "cluster_existing_kubeconfig": str(server.kubeconfig)}
    common |= {"cluster_service_cidr": "10.250.0.0/24"}
    hosts = {"aws": {}, "google": {"cilium_enabled": False}}
    place = tmp_path / "fleet"
    (place / ".state/kubeconfigs").mkdir(parents=True)
    (place / "hosts.yml").write_text(yaml.safe_dump({"clusters": {"hosts": hosts, "vars": common}}))
    for name in hosts:
        config = yaml.safe_load(server.kubeconfig.read_text())
        (place / ".state/kubeconfigs" / name).write_text(yaml.safe_dump(config))

    def run(playbook: str, *options: str, **extra: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(place / "hosts.yml")]
        book = [{"hosts": "clusters", "gather_facts": False, "roles": ["opendata.platform.fleet"]}]
        book.append({"import_playbook": str(ROOT / "playbooks" / playbook)})
        (tmp_path / "play.yml").write_text(yaml.safe_dump(book))
        command += [
            str(tmp_path / "play.yml"),
            "-e",
            json.dumps({"artifacts": ARTIFACTS, **extra}),
            *options,
        ]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


def written(server: ApiServer, before: list[str]) -> list[str]:
    """Writes since `before`, without questions about rights and the Lease of the run."""
    return [each for each in server.writes()[len(before) :] if not re.search("selfsubjectaccessreviews|leases", each)]


@pytest.fixture
def api(server: ApiServer) -> Iterator[Cluster]:
    """The API, with one node and a Cilium that is not ours."""
    api, made = Cluster(str(server.kubeconfig)), []
    for path, item in (
        ("/api/v1/nodes", objects.node("a")),
        ("/apis/apps/v1/namespaces/kube-system/daemonsets", objects.cilium(release="theirs")),
        (f"{SYSTEM}/secrets", objects.revision("theirs", 1, "deployed", "1.20.1", THEIRS, {})),
    ):
        api.request("POST", path, body=item)
        made.append(f"{path}/{item['metadata']['name']}")
    yield api
    for path in made:
        api.request("DELETE", path)


def test_a_network_that_must_stay_is_left_alone(server: ApiServer, stage: Stage) -> None:
    before = server.writes()
    # The first contact records which cluster it is, on the controller.
    for changes in (1, 0):
        done = stage("network.yml", "--limit=google")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"changed={changes}" in done.stdout
    assert written(server, before) == []


@pytest.mark.usefixtures("api")
def test_a_cilium_that_is_there_is_compared_before_anything_of_it_is_written(server: ApiServer, stage: Stage) -> None:
    before = server.writes()
    done = stage("network.yml", "--limit=aws")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "aws: helm release theirs of Cilium would go from 1.20.1 to 1.20.2, " in said
    assert "ipam.mode: theirs unset (the default), ours cluster-pool; running pods must be restarted" in said
    assert "tls.ca.key: theirs sha256:" in said and "very-secret" not in said
    assert written(server, before) == []
