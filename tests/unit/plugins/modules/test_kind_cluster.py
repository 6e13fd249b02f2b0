# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module kind_cluster against stand-ins of kind and the engine."""

import fcntl
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.kind.cli import locked

Result = dict[str, Any]
RECORD = "/kind/opendata-platform.yaml"
HOSTS = "/etc/containerd/certs.d/quay.io/hosts.toml"
CONFIG = {
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "kind": "Cluster",
    "networking": {"disableDefaultCNI": True, "kubeProxyMode": "none", "podSubnet": "10.1.0.0/16"},
    "nodes": [{"role": "control-plane", "image": "kindest/node:v1"}, {"role": "worker", "image": "kindest/node:v1"}],
}
OTHER = CONFIG | {"networking": CONFIG["networking"] | {"podSubnet": "10.2.0.0/16"}}

BOTH = pytest.mark.parametrize("stand_in", ["docker", "podman"], indirect=True)


@pytest.fixture
def cluster(run: Callable[..., Result], stand_in: Any, tmp_path: Path) -> Callable[..., Result]:
    """cluster(config=…, check=True) -> the module's result for cluster dev."""

    def call(**given: Any) -> Result:
        options = {
            "name": "dev",
            "config": CONFIG,
            "engine": stand_in.engine,
            "network": "odp-dev",
            "kind": stand_in.kind,
            "kubeconfig": str(tmp_path / "kubeconfigs/dev"),
            "files": [{"path": HOSTS, "content": "mirror\n"}],
        }
        return run("kind_cluster", **(options | given))

    return call


@BOTH
def test_first_run_makes_the_cluster_and_a_second_one_nothing(cluster: Any, stand_in: Any, tmp_path: Path) -> None:
    first = cluster()
    assert (first["changed"], first["state"]) == (True, "absent")
    assert stand_in.containers() == {"dev-control-plane": "running", "dev-worker": "running"}
    for node in stand_in.containers():
        assert yaml.safe_load(stand_in.file(node, RECORD).read_text()) == CONFIG
        assert stand_in.file(node, HOSTS).read_text() == "mirror\n"
    path = tmp_path / "kubeconfigs/dev"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = yaml.safe_load(path.read_text())
    assert written["current-context"] == "dev"
    assert written["contexts"] == [{"name": "dev", "context": {"cluster": "dev", "user": "dev"}}]
    assert written["clusters"] == [{"name": "dev", "cluster": {"server": "https://127.0.0.1:40001"}}]
    stand_in.commands()
    again = cluster()
    assert (again["changed"], again["state"], again["actions"]) == (False, "running", [])
    verbs = {line.split()[1] for line in stand_in.commands()}
    assert verbs == {"ps", "inspect", "cp", "get"}


def test_nobody_elses_kubeconfig_is_written(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    cluster()
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "mine").exists()


def test_check_mode_says_what_would_be_made(cluster: Any, stand_in: Any, tmp_path: Path) -> None:
    planned = cluster(check=True)
    assert planned["changed"]
    assert planned["actions"] == ["create the cluster"]
    assert planned["diff"][0]["before"] == ""
    assert yaml.safe_load(planned["diff"][0]["after"]) == CONFIG
    assert stand_in.containers() == {}
    assert not (tmp_path / "kubeconfigs").exists()


def test_no_credentials_are_shown(cluster: Any) -> None:
    assert "stand-in-key" not in str(cluster())


def test_changed_config_is_refused_with_what_would_be_lost(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.set(claims=["postgres", "garage"])
    for check in (True, False):
        refused = cluster(config=OTHER, check=check)
        assert refused["failed"]
        assert refused["msg"] == (
            "dev: its config was changed (networking.podSubnet), and kind cannot change a cluster; "
            "recreating it would delete 2 nodes with all their pods and "
            "2 volumes: data/garage (8Gi), data/postgres (8Gi). "
            "To accept that, run again with -e cluster_kind_recreate=true; to keep the cluster, revert the config."
        )
        shown = refused["diff"][0]
        assert yaml.safe_load(shown["before"]) == CONFIG
        assert yaml.safe_load(shown["after"]) == OTHER
    assert yaml.safe_load(stand_in.file("dev-worker", RECORD).read_text()) == CONFIG


def test_changed_config_of_a_stopped_cluster_is_refused_too(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.stop()
    refused = cluster(config=OTHER)
    assert "would delete 2 nodes with all their pods and its volumes, which cannot be listed now." in refused["msg"]
    assert set(stand_in.containers().values()) == {"exited"}


def test_a_cluster_without_volumes_says_so(cluster: Any) -> None:
    cluster()
    assert "would delete 2 nodes with all their pods, and no volumes." in cluster(config=OTHER)["msg"]


def test_recreate_makes_it_anew(cluster: Any, stand_in: Any) -> None:
    cluster()
    planned = cluster(config=OTHER, recreate=True, check=True)
    assert planned["actions"] == ["delete the cluster: its config was changed", "create the cluster"]
    assert yaml.safe_load(stand_in.file("dev-worker", RECORD).read_text()) == CONFIG
    done = cluster(config=OTHER, recreate=True)
    assert done["actions"][:2] == planned["actions"]
    assert yaml.safe_load(stand_in.file("dev-worker", RECORD).read_text()) == OTHER
    assert not cluster(config=OTHER)["changed"]


def test_recreate_alone_changes_nothing(cluster: Any) -> None:
    cluster()
    assert not cluster(recreate=True)["changed"]


def test_stopped_cluster_is_started(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.stop()
    assert cluster(check=True)["actions"] == ["start the cluster"]
    started = cluster()
    assert (started["state"], started["actions"]) == ("stopped", ["start the cluster"])
    assert set(stand_in.containers().values()) == {"running"}
    assert not cluster()["changed"]


def test_one_stopped_node_is_enough(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.stop("dev-worker")
    stand_in.commands()
    assert cluster()["actions"] == ["start the cluster"]
    assert [line for line in stand_in.commands() if " start " in line] == [f"{stand_in.engine} start dev-worker"]


def test_interrupted_creation_is_made_anew(cluster: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_DIES", "yes")
    assert cluster()["failed"]
    assert stand_in.containers() == {"dev-control-plane": "running"}
    monkeypatch.delenv("STAND_IN_DIES")
    assert cluster(state="gathered")["state"] == "interrupted"
    done = cluster()
    assert done["actions"][:2] == ["delete the cluster: its creation was interrupted", "create the cluster"]
    assert len(stand_in.containers()) == 2
    assert not cluster()["changed"]


def test_torn_record_counts_as_none(cluster: Any, stand_in: Any) -> None:
    cluster()
    for node in stand_in.containers():
        stand_in.file(node, RECORD).write_text("nodes: [")
    assert cluster(state="gathered")["state"] == "interrupted"


def test_record_of_one_node_is_enough(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.file("dev-control-plane", RECORD).unlink()
    assert cluster(state="gathered")["state"] == "running"


def test_lost_node_is_refused_and_nothing_deleted(cluster: Any, stand_in: Any) -> None:
    cluster()
    stand_in.lose("dev-control-plane")
    refused = cluster()
    assert refused["msg"] == (
        "dev: 1 control-plane missing, and kind cannot add nodes; recreating the cluster would delete "
        "1 node with all its pods and its volumes, which cannot be listed now. "
        "To accept that, run again with -e cluster_kind_recreate=true."
    )
    assert list(stand_in.containers()) == ["dev-worker"]
    assert cluster(recreate=True)["actions"][0] == "delete the cluster: nodes are missing"
    assert len(stand_in.containers()) == 2


def test_somebody_elses_cluster_is_never_touched(
    cluster: Any, stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster(network="kind")
    words = (
        f"dev: {stand_in.engine} already has a kind cluster of this name that does not belong to this fleet "
        "(dev-control-plane, dev-worker). Rename the cluster in the inventory, or delete the other one if nobody "
        "needs it: kind delete cluster --name dev"
    )
    for more in ({}, {"recreate": True}, {"check": True}):
        assert cluster(**more)["msg"] == words
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: said.append(text))
    assert not cluster(state="absent", kubeconfig=str(tmp_path / "none"))["changed"]
    assert said == [words]
    assert len(stand_in.containers()) == 2


def test_failure_of_kind_is_told_in_its_words(cluster: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAILS", "yes")
    assert cluster()["msg"] == (
        "dev: kind create cluster failed:\nCreating cluster dev (stand-in)\n"
        "ERROR: failed to create cluster: the stand-in was told to fail"
    )


def test_unknown_key_is_refused_by_kind(cluster: Any, stand_in: Any) -> None:
    wrong = CONFIG | {"networking": {"disableCNI": True}}
    assert "field disableCNI not found in type v1alpha4" in cluster(config=wrong)["msg"]
    assert stand_in.containers() == {}


def test_missing_programs_are_named(cluster: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster(kind="/nonexistent/kind")["msg"] == (
        "dev: /nonexistent/kind cannot be run: No such file or directory."
    )
    monkeypatch.setenv("PATH", "/nonexistent")
    engine = stand_in.engine
    assert cluster()["msg"] == f"dev: {engine} says: {engine} is not installed."


@BOTH
def test_engine_that_does_not_answer_is_named(cluster: Any, stand_in: Any) -> None:
    stand_in.set(answers=False)
    assert cluster()["msg"] == (
        f"dev: {stand_in.engine} says: Cannot connect to the Docker daemon at unix:///stand-in.sock. "
        "Is the docker daemon running?"
    )


@BOTH
def test_files_and_kubeconfig_altered_by_hand_are_set_back(cluster: Any, stand_in: Any, tmp_path: Path) -> None:
    cluster()
    stand_in.file("dev-worker", HOSTS).write_text("altered\n")
    path = tmp_path / "kubeconfigs/dev"
    path.chmod(0o644)
    expected = [f"write {HOSTS} of dev-worker", f"write {path}"]
    assert cluster(check=True)["actions"] == expected
    assert stand_in.file("dev-worker", HOSTS).read_text() == "altered\n"
    mended = cluster()
    assert mended["actions"] == expected
    assert {"before": "altered\n", "after": "mirror\n"}.items() <= mended["diff"][0].items()
    assert stand_in.file("dev-worker", HOSTS).read_text() == "mirror\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@BOTH
def test_absent_removes_all_and_then_nothing(cluster: Any, stand_in: Any, tmp_path: Path) -> None:
    cluster()
    path = tmp_path / "kubeconfigs/dev"
    planned = cluster(state="absent", check=True)
    assert planned["actions"] == ["delete the cluster", f"remove {path}"]
    assert len(stand_in.containers()) == 2
    assert cluster(state="absent")["actions"] == planned["actions"]
    assert stand_in.containers() == {}
    assert stand_in.state["networks"] == []
    assert not path.exists()
    assert not cluster(state="absent")["changed"]


def test_absent_of_nothing_leaves_nothing(cluster: Any, tmp_path: Path) -> None:
    assert not cluster(state="absent")["changed"]
    assert not (tmp_path / "kubeconfigs").exists()


@BOTH
def test_network_stays_while_another_cluster_is_on_it(cluster: Any, stand_in: Any) -> None:
    cluster()
    cluster(name="other")
    cluster(state="absent")
    assert stand_in.state["networks"] == ["odp-dev"]
    assert set(stand_in.containers()) == {"other-control-plane", "other-worker"}


def test_several_control_planes_have_a_load_balancer_which_is_no_node(cluster: Any, stand_in: Any) -> None:
    nodes = [{"role": "control-plane"}] * 3 + [{"role": "worker"}]
    config = CONFIG | {"nodes": nodes}
    assert cluster(config=config)["changed"]
    assert "dev-external-load-balancer" in stand_in.containers()
    assert not stand_in.file("dev-external-load-balancer", RECORD).exists()
    assert cluster(config=config)["state"] == "running"
    stand_in.stop("dev-external-load-balancer")
    assert cluster(config=config)["actions"] == ["start the cluster"]


def test_next_run_waits_for_a_kind_that_was_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "state/dev.lock"
    with locked(path) as lock:
        left = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
    descriptor = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.kill()
        left.wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
