# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A kubeconfig that leads to another cluster than before, on a real API server."""

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.fleet import identity as pure
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


def test_the_words_name_both_uids_the_paths_and_the_step() -> None:
    seen = pure.Seen("north", "/f/kubeconfigs/north", "b-2", "/f/clusters/north/uid", "a-1")
    assert pure.findings([seen]) == [
        "Cluster north: kubeconfig /f/kubeconfigs/north leads to the cluster with UID b-2, but that of "
        "earlier runs has UID a-1 (/f/clusters/north/uid). Put the right kubeconfig there. "
        "If the cluster was made anew on purpose, remove the record: rm /f/clusters/north/uid"
    ]


@pytest.mark.parametrize(("uid", "recorded", "new"), [("", "a", False), ("a", "a", False), ("a", "", True)])
def test_what_does_not_answer_is_the_same_or_is_new_is_not_refused(uid: str, recorded: str, new: bool) -> None:
    seen = [pure.Seen("north", "/k", uid, "/u", recorded)]
    assert pure.findings(seen) == []
    assert (pure.unrecorded(seen) == seen) == new


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
    assert "but that of earlier runs has UID another (" in refused["msg"]
    assert record.read_text() == "another\n"


def test_a_cluster_that_is_not_made_or_does_not_answer_is_left_alone(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("x")
    paths = {
        name: {"kubeconfig": str(tmp_path / name), "uid_file": str(tmp_path / "uid")} for name in ("absent", "broken")
    }
    assert run("cluster_identity", clusters=paths) == {"changed": False, "uids": {}, "diff": []}
