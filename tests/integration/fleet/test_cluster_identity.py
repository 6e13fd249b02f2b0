# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A kubeconfig that leads to another cluster than before, on a real API server."""

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer


@pytest.fixture
def clusters(server: ApiServer, tmp_path: Path) -> dict[str, dict[str, str]]:
    cluster = Cluster(str(server.kubeconfig))
    while not cluster.get("/api/v1/namespaces/kube-system"):
        time.sleep(0.1)
    return {
        "north": {"kubeconfig": str(server.kubeconfig), "uid_file": str(tmp_path / "clusters/north/uid"), "id": "1"}
    }


def test_first_contact_is_recorded_once(run: Any, clusters: dict[str, dict[str, str]]) -> None:
    record = Path(clusters["north"]["uid_file"])
    planned = run("cluster_identity", check=True, clusters=clusters)
    assert planned["changed"]
    assert not record.exists()
    made = run("cluster_identity", clusters=clusters)
    assert made["changed"]
    assert made["diff"][0]["after"] == record.read_text() == f"{made['uids']['north']}\n"
    assert record.stat().st_mode & 0o777 == 0o600
    assert run("cluster_identity", clusters=clusters)["changed"] is False


def test_another_cluster_is_refused_and_the_record_stays(run: Any, clusters: dict[str, dict[str, str]]) -> None:
    record = Path(clusters["north"]["uid_file"])
    record.parent.mkdir(parents=True)
    record.write_text("another\n")
    refused = run("cluster_identity", clusters=clusters)
    assert refused["failed"]
    assert ", recorded is another (" in refused["msg"]
    assert record.read_text() == "another\n"
