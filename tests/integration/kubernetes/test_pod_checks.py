# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module pod_checks: a command in a pod of a real API server; its kubelet is a stand-in."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

from api_server import ApiServer
from stand_in_kubelet import stand_in_kubelet

Run = Callable[..., dict[str, Any]]
MERGE = "application/merge-patch+json"
COMMAND = ["python3", "-m", "trips.verify", "--json"]
ROWS = {"name": "raw rows", "ok": True, "expected": 1000, "found": 1000, "seconds": 0.1}
LATE = {"name": "late rows", "ok": False, "expected": 3, "found": 0, "seconds": 0.2}


class Place:
    """A namespace with the pods of a test, and what the stand-in says to the command."""

    def __init__(self, server: ApiServer) -> None:
        self.api, self.kubeconfig = Cluster(str(server.kubeconfig)), str(server.kubeconfig)
        self.namespace = f"checks-{uuid.uuid4().hex[:8]}"
        self.says: tuple[str, str, int] = ("", "", 0)
        self.asked: list[list[str]] = []
        self.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": self.namespace}})

    def answer(self, command: list[str]) -> tuple[str, str, int]:
        self.asked.append(command)
        return self.says

    def pod(self, name: str, ready: bool = True, app: str = "code", **status: Any) -> None:
        """A pod on the stand-in's node that is ready, or not."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        spec = {"nodeName": self.namespace, "containers": [{"name": "main", "image": "x"}]}
        metadata = {"name": name, "labels": {"app": app}}
        self.api.request("POST", path, body={"metadata": metadata, "spec": spec})
        condition = {"type": "Ready", "status": str(ready), "message": "" if ready else "its probe fails"}
        body = {"status": {"phase": "Running", "conditions": [condition], **status}}
        self.api.request("PATCH", f"{path}/{name}/status", body=body, content_type=MERGE)


@pytest.fixture
def place(server: ApiServer, tmp_path: Path) -> Iterator[Place]:
    """A namespace, and a node of the same name whose kubelet is the stand-in."""
    found = Place(server)
    with stand_in_kubelet(tmp_path, found.answer) as port:
        status = {
            "addresses": [{"type": "Hostname", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        node = f"/api/v1/nodes/{found.namespace}"
        found.api.request("POST", "/api/v1/nodes", body={"metadata": {"name": found.namespace}})
        found.api.request("PATCH", f"{node}/status", body={"status": status}, content_type=MERGE)
        yield found
        found.api.request("DELETE", node)


def module(run: Run, place: Place, check: bool = False, **options: Any) -> dict[str, Any]:
    wanted = {"selector": "app=code", "container": "main", "command": COMMAND, "wait_timeout": 5, **options}
    return run("pod_checks", check=check, kubeconfig=place.kubeconfig, namespace=place.namespace, **wanted)


def lines(*checks: dict[str, Any]) -> str:
    """What the command writes: its last line is the answer."""
    return "reading 3 tables\n" + json.dumps({"ok": all(each["ok"] for each in checks), "checks": checks}) + "\n"


def test_the_command_runs_and_its_last_line_counts(place: Place, run: Run) -> None:
    place.pod("runs")
    place.says = (lines(ROWS), "", 0)
    result = module(run, place)
    assert result.get("failed") is None, result
    assert (result["checks"], result.get("changed", False), place.asked) == ([ROWS], False, [COMMAND])


def test_a_pod_that_is_ready_later_is_waited_for(place: Place, run: Run) -> None:
    place.says = (lines(ROWS), "", 0)
    timer = threading.Timer(0.5, place.pod, ["runs"])
    timer.start()
    assert module(run, place, wait_timeout=20)["checks"] == [ROWS]
    timer.join()


def test_without_a_pod_the_selector_is_named(place: Place, run: Run) -> None:
    place.pod("of-another", app="other")
    result = module(run, place, wait_timeout=1)
    assert result["msg"] == f"No pod app=code in namespace {place.namespace} is ready after 1 s: there is none."
    assert (result["failed"], result["checks"]) == (True, [])


def test_pods_that_are_not_ready_say_why(place: Place, run: Run) -> None:
    place.pod("starts", ready=False)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    place.pod("pulls", ready=False, phase="Pending", containerStatuses=[container])
    result = module(run, place, wait_timeout=1)
    assert result["msg"].startswith(f"No pod app=code in namespace {place.namespace} is ready after 1 s: ")
    for words in ("pod starts: its probe fails", "pod pulls, container main: ImagePullBackOff (not found)"):
        assert words in result["msg"]
    assert place.asked == []


def test_failed_checks_are_reported_with_what_was_expected(place: Place, run: Run) -> None:
    place.pod("a-starts", ready=False)
    place.pod("runs")
    place.says = (lines(ROWS, LATE, {**LATE, "name": "cells"}), "", 1)
    result = module(run, place)
    assert result["failed"] is True
    assert result["msg"] == "Pod runs: late rows: expected 3, found 0\ncells: expected 3, found 0"
    assert result["checks"][:2] == [ROWS, LATE]


def test_a_command_that_fails_although_its_checks_are_well(place: Place, run: Run) -> None:
    place.pod("runs")
    place.says = (lines(ROWS), "", 3)
    result = module(run, place)
    assert (result["failed"], result["msg"]) == (True, "Pod runs: the command exited with 3")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (("", "No module named trips\n", 1), "exited with 1 and printed no checks: No module named trips"),
        (("all is well\n", "", 0), "exited with 0 and printed no checks: all is well"),
        (('{"checks": 3}\n', "", 0), 'exited with 0 and printed no checks: {"checks": 3}'),
        (("[]\n", "", 0), "exited with 0 and printed no checks: []"),
    ],
)
def test_an_answer_without_checks_is_shown(place: Place, run: Run, says: tuple[str, str, int], words: str) -> None:
    place.pod("runs")
    place.says = says
    result = module(run, place)
    assert (result["failed"], result["checks"]) == (True, [])
    assert result["msg"] == f"Pod runs: 'python3 -m trips.verify --json' {words}"


def test_a_command_that_cannot_start_is_reported_in_the_kubelets_words(place: Place, run: Run) -> None:
    place.pod("runs")
    place.says = ("", "", -1)
    assert module(run, place)["msg"] == "pod runs: no such file or directory."


def test_check_mode_runs_nothing(place: Place, run: Run, tmp_path: Path) -> None:
    place.pod("runs")
    place.says = (lines(LATE), "", 1)
    result = module(run, place, check=True)
    assert (result.get("failed"), result["checks"], place.asked) == (None, [], [])
    place.kubeconfig = str(tmp_path / "absent")
    assert module(run, place, check=True)["checks"] == []
