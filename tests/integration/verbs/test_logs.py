# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb logs: API server and kubectl are real, the kubelet with the logs is a stand-in."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logs import choose, documents, started
from repository import ROOT
from services import Service

VERB = [sys.executable, str(ROOT / "verbs/logs.py")]


def logs(fleet: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VERB, *arguments], env=fleet.environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def sail(fleet: Any) -> None:
    """A service with one pod, and one with two."""
    fleet.describe("sail", host="")
    fleet.describe("sftpgo")
    for name, pod in (("sail", "sail-0"), ("sftpgo", "sftpgo-0"), ("sftpgo", "sftpgo-1")):
        fleet.pod(name, pod)
        fleet.pods.logs[pod] = f"{pod} says one\n{pod} says two\n"


@pytest.mark.usefixtures("sail")
def test_one_pod_speaks_for_itself_and_several_with_their_names(fleet: Any) -> None:
    assert logs(fleet, "sail").stdout == "sail-0 says one\nsail-0 says two\n"
    several = logs(fleet, "sftpgo", "--cluster", "north")
    assert several.returncode == 0
    assert several.stdout.splitlines() == [
        "[pod/sftpgo-0/web] sftpgo-0 says one",
        "[pod/sftpgo-0/web] sftpgo-0 says two",
        "[pod/sftpgo-1/web] sftpgo-1 says one",
        "[pod/sftpgo-1/web] sftpgo-1 says two",
    ]


@pytest.mark.usefixtures("sail")
def test_following_takes_up_pods_that_come_later_and_ends_with_its_children(fleet: Any) -> None:
    with subprocess.Popen([*VERB, "sail", "--follow"], env=fleet.environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "[pod/sail-0/web] sail-0 says one\n"
        fleet.pods.logs["sail-1"] = "later\n"
        fleet.pod("sail", "sail-1")
        lines = [run.stdout.readline() for _ in range(2)]
        assert lines == ["[pod/sail-0/web] sail-0 says two\n", "[pod/sail-1/web] later\n"]
        family = [int(each) for each in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
        assert len(family) == 3
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 0
        assert [each for each in family if Path(f"/proc/{each}").exists()] == []


@pytest.mark.usefixtures("sail")
def test_an_unknown_service_is_refused_with_the_list(fleet: Any) -> None:
    run = logs(fleet, "sial")
    assert run.returncode == 1
    assert "odp: there is no service 'sial'. Did you mean sail? Known: " in run.stderr
    assert "odp: south: it has no kubeconfig yet. Make the cluster: ./odp up trial" in run.stderr
    assert "has no host 'nroth' in group clusters" in logs(fleet, "sail", "--cluster", "nroth").stderr


@pytest.mark.usefixtures("sail")
def test_a_service_without_pods_leads_to_its_state(fleet: Any) -> None:
    fleet.describe("empty")
    run = logs(fleet, "empty")
    assert (run.returncode, run.stderr) == (1, "odp: empty has no pods in north. Its state: ./odp status\n")


def test_the_cluster_is_asked_for_when_two_have_the_service() -> None:
    found = [Service(cluster, "dagster", "dagster") for cluster in ("north", "south")]
    with pytest.raises(SystemExit) as ended:
        choose("dagster", found, {})
    assert ended.value.code == "odp: dagster is in north, south. Choose: ./odp logs dagster --cluster north"
    assert choose("dagster", found[1:], {}) == found[1]


def test_a_service_that_waits_says_why() -> None:
    with pytest.raises(SystemExit) as ended:
        choose("keycloak", [Service("north", "keycloak", "keycloak", waiting="no image")], {})
    assert ended.value.code == "odp: keycloak of north waits: no image"


def test_each_run_of_a_container_starts_once() -> None:
    def pod(*containers: tuple[str, str]) -> dict[str, Any]:
        states = [{"name": name, **({"containerID": run} if run else {})} for name, run in containers]
        return {"metadata": {"name": "p"}, "status": {"containerStatuses": states}}

    seen = [{"metadata": {"name": "p"}}, pod(("a", ""), ("b", "1")), pod(("a", "2"), ("b", "1")), pod(("b", "3"))]
    text = "".join(json.dumps(each, indent=4) + "\n" for each in seen)
    assert list(started(documents(io.StringIO(text)))) == [("p", "b"), ("p", "a"), ("p", "b")]
