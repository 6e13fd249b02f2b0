# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb logs: API server and kubectl are real, the kubelet with the logs is a stand-in."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from repository import ROOT

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
    assert "odp: south: it has no kubeconfig yet. Create the cluster: ./odp up trial" in run.stderr
    assert "has no host 'nroth' in group clusters" in logs(fleet, "sail", "--cluster", "nroth").stderr


@pytest.mark.usefixtures("sail")
def test_a_service_without_pods_leads_to_its_state(fleet: Any) -> None:
    fleet.describe("empty")
    run = logs(fleet, "empty")
    assert (run.returncode, run.stderr) == (1, "odp: empty has no pods in north. Its state: ./odp status\n")
