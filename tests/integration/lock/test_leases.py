# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Leases on a real API server: two runs, a killed run, a lost Lease, another cluster."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.lock import lease as pure
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import ClustersInUse, FleetLeases
from ansible_collections.opendata.platform.plugins.module_utils.lock.lease_client import Leases

from api_server import ApiServer, free_port
from repository import TESTS

ANNA = pure.Run("laptop/1", "laptop", "anna on laptop, process 42", "ansible-playbook site.yml")
BERT = pure.Run("desk/2", "desk", "bert on desk, process 7", "ansible-playbook site.yml")
PARENT = """
import json, sys
import conftest
from ansible_collections.opendata.platform.plugins.module_utils.lock.lease import Run
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import FleetLeases
leases = FleetLeases(Run("laptop/1", "laptop", "anna on laptop, process 42", "ansible-playbook site.yml"), 60)
leases.take(json.loads(sys.argv[1]), {"north"})
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def api(server: ApiServer) -> Iterator[Cluster]:
    """The cluster, without a Lease before and after."""
    cluster = Cluster(str(server.kubeconfig))
    wait_until(lambda: cluster.get("/api/v1/namespaces/kube-system"))
    remove(cluster)
    yield cluster
    remove(cluster)


@pytest.fixture
def fleet(server: ApiServer, tmp_path: Path) -> dict[str, Any]:
    """What a fleet's record says of a cluster."""
    north = {"kubeconfig": str(server.kubeconfig), "uid_file": str(tmp_path / "uid"), "nodes": ["north-1"]}
    return {"clusters": {"north": north}}


@pytest.fixture
def paths(fleet: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The same as the keeper reads it."""
    north = fleet["clusters"]["north"]
    return {"north": {"kubeconfig": north["kubeconfig"], "uid": north["uid_file"]}}


def remove(cluster: Cluster) -> None:
    if cluster.get(pure.PATH):
        cluster.request("DELETE", pure.PATH)


def wait_until(found: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def leases(run: pure.Run, seconds: int = 60) -> Iterator[FleetLeases]:
    held = FleetLeases(run, seconds)
    try:
        yield held
    finally:
        held.release()


def test_a_second_run_is_refused_until_the_first_has_ended(api: Cluster, fleet: dict[str, Any]) -> None:
    with leases(ANNA) as first:
        first.take(fleet, {"north-1"})
        with leases(BERT) as second, pytest.raises(ClustersInUse) as refused:
            second.take(fleet, {"north"})
        assert "Cluster north is in use by anna on laptop, process 42, since 20" in str(refused.value)
        assert ": ansible-playbook site.yml (Lease kube-system/opendata-platform-fleet)" in str(refused.value)
        assert api.get(pure.PATH)["spec"]["holderIdentity"] == "laptop/1"
    assert api.get(pure.PATH) is None
    with leases(BERT) as second:
        second.take(fleet, {"north"})


def test_of_two_that_race_one_is_refused(api: Cluster, paths: dict[str, dict[str, str]]) -> None:
    for _ in range(20):
        both = [Leases(ANNA), Leases(BERT)]
        with ThreadPoolExecutor() as pool:
            refused = list(pool.map(lambda each: each.take(paths), both))
        assert sorted(map(len, refused)) == [0, 1]
        for each in both:
            each.release()
        assert api.get(pure.PATH) is None


def test_of_two_that_race_for_a_dead_ones_lease_one_is_refused(api: Cluster, paths: dict[str, dict[str, str]]) -> None:
    dead = pure.taken(None, pure.Run("gone/3", "gone", "", ""), api.now, 1)
    dead["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"
    for _ in range(20):
        api.request("POST", pure.LIST, body=dead)
        both = [Leases(ANNA), Leases(BERT)]
        with ThreadPoolExecutor() as pool:
            refused = list(pool.map(lambda each: each.take(paths), both))
        assert sorted(map(len, refused)) == [0, 1]
        for each in both:
            each.release()
        assert api.get(pure.PATH) is None


def test_a_run_that_is_not_asked_for_the_cluster_takes_nothing(api: Cluster, fleet: dict[str, Any]) -> None:
    with leases(ANNA) as first:
        first.take(fleet, {"south", "south-1"})
        assert api.get(pure.PATH) is None


def test_it_is_renewed(api: Cluster, fleet: dict[str, Any]) -> None:
    with leases(ANNA, 3) as first:
        first.take(fleet, {"north"})
        before = api.get(pure.PATH)["spec"]
        after = wait_until(lambda: (now := api.get(pure.PATH)["spec"])["renewTime"] > before["renewTime"] and now)
        assert after["acquireTime"] == before["acquireTime"]
        first.check()


def test_a_lease_that_was_lost_ends_the_run(api: Cluster, fleet: dict[str, Any]) -> None:
    with leases(ANNA, 3) as first:
        first.take(fleet, {"north"})
        while True:
            with contextlib.suppress(Exception):
                api.request("PUT", pure.PATH, body=pure.taken(api.get(pure.PATH), BERT, api.now, 60))
                break

        def lost() -> str:
            try:
                first.check()
            except ClustersInUse as error:
                return str(error)
            return ""

        assert "Cluster north is in use by bert on desk" in wait_until(lost)
    # Nobody removes what is another's.
    assert api.get(pure.PATH)["spec"]["holderIdentity"] == "desk/2"


def test_when_both_run_and_keeper_are_killed_the_lease_ends(api: Cluster, fleet: dict[str, Any]) -> None:
    first = FleetLeases(ANNA, 2)
    first.take(fleet, {"north"})
    os.kill(first._keeper.pid, signal.SIGKILL)
    first.release()
    with leases(BERT) as second:
        with pytest.raises(ClustersInUse):
            second.take(fleet, {"north"})

        def taken() -> bool:
            with contextlib.suppress(ClustersInUse):
                second.take(fleet, {"north"})
                return True
            return False

        wait_until(taken)
        assert api.get(pure.PATH)["spec"]["holderIdentity"] == "desk/2"


def test_the_next_run_of_this_controller_need_not_wait_for_a_killed_one(api: Cluster, fleet: dict[str, Any]) -> None:
    first = FleetLeases(ANNA)
    first.take(fleet, {"north"})
    os.kill(first._keeper.pid, signal.SIGKILL)
    first.release()
    with leases(pure.Run("laptop/2", "laptop", "anna", "again")) as again:
        again.take(fleet, {"north"})
        assert api.get(pure.PATH)["spec"]["holderIdentity"] == "laptop/2"


def test_the_keeper_ends_with_its_run_also_when_a_child_of_that_lives_on(api: Cluster, fleet: dict[str, Any]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    # A fork of the run, as each task is one, has the pipe to the keeper open.
    program = PARENT.replace("sys.stdin.read()", "import os, time\nos.fork() or time.sleep(30)\nsys.stdin.read()")
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, json.dumps(fleet)]
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, process_group=0) as parent:
        assert parent.stdout.readline() == "held\n"
        assert api.get(pure.PATH)
        os.kill(parent.pid, signal.SIGKILL)
        wait_until(lambda: api.get(pure.PATH) is None, 8)
        os.killpg(parent.pid, signal.SIGKILL)


def test_another_cluster_behind_the_kubeconfig_gets_no_lease(api: Cluster, fleet: dict[str, Any]) -> None:
    Path(fleet["clusters"]["north"]["uid_file"]).write_text("another\n")
    with leases(ANNA) as first:
        first.take(fleet, {"north"})
        assert api.get(pure.PATH) is None
        Path(fleet["clusters"]["north"]["uid_file"]).write_text(f"{api.uid()}\n")
        first.take(fleet, {"north"})
        assert api.get(pure.PATH)


@pytest.mark.parametrize("readable", [True, False])
def test_a_cluster_that_does_not_answer_stops_nothing(
    api: Cluster, server: ApiServer, fleet: dict[str, Any], tmp_path: Path, readable: bool
) -> None:
    silent = server.kubeconfig.read_text().replace(f":{server.port}", f":{free_port()}")
    (tmp_path / "silent").write_text(silent if readable else "no kubeconfig")
    fleet["clusters"]["east"] = {**fleet["clusters"]["north"], "kubeconfig": str(tmp_path / "silent")}
    with leases(ANNA) as first:
        first.take(fleet, {"north", "east"})
        assert first.alive and api.get(pure.PATH)


def test_a_keeper_that_cannot_run_stops_nothing(fleet: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with leases(ANNA) as first:
        first.take(fleet, {"north"})
        first.take(fleet, {"north"})
        first.check()
        first._keeper.wait(10)
        assert not first.alive
