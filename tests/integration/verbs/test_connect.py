# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb connect as a person meets it. The API server and kubectl are real, kubelet and pods are stand-ins."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_in_pods import pod

import api_server
from repository import ROOT


@contextlib.contextmanager
def running(fleet: Any, *command: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """The verb, what it said first, and its port; ended by SIGTERM."""
    port = api_server.free_port()
    errors = (fleet.directory / "connect.log").open("w")
    verb, place = [*command, "trial", "--port", str(port)], fleet.directory
    with subprocess.Popen(
        verb, cwd=place, env=fleet.environment, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:
        said = ""
        try:
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                assert line, (fleet.directory / "connect.log").read_text()
                said += line
            yield process, said, port
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def tunnel(fleet: Any) -> Iterator[tuple[str, int]]:
    """dagster and superset with a pod each, others that are not well."""
    with pod("dagster-1") as dagster, pod("superset-1") as superset:
        fleet.pods.ports |= {"dagster-1": dagster.server_address[1], "superset-1": superset.server_address[1]}
        for name in ("dagster", "superset"):
            fleet.describe(name)
            fleet.serve(name, f"{name}-1")
        fleet.describe("airflow")
        fleet.serve("airflow", "airflow-1")
        fleet.describe("prefect")
        fleet.serve("prefect", "prefect-1", ready=False)
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
        broken = {"name": "web", "ready": False, "restartCount": 0, "image": "x", "imageID": "", "state": waiting}
        fleet.pod("prefect", "prefect-1", containerStatuses=[broken])
        fleet.describe("keycloak", waiting="no image of it can be built here")
        fleet.describe("gitlab", port=22)
        fleet.serve("gitlab", "gitlab-1")
        fleet.describe("postgres", host="", secret="")
        with running(fleet, sys.executable, str(ROOT / "verbs/connect.py")) as (_process, said, port):
            yield said, port


@pytest.fixture
def ask(tunnel: tuple[str, int]) -> Callable[..., str]:
    """Send a request for a host on a connection of its own; return all that comes until its end."""

    def call(host: str, path: str = "/", body: bytes = b"", address: str = "127.0.0.1") -> str:
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((address, tunnel[1]), timeout=30) as client:
            client.sendall(head.encode() + body)
            return everything(client).decode()

    return call


def everything(client: socket.socket) -> bytes:
    """All bytes until the other side ends."""
    parts = []
    while data := client.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


def test_each_service_has_a_line_and_no_password(fleet: Any, tunnel: tuple[str, int]) -> None:
    said, port = tunnel
    lines = {line.split()[0]: line.split(None, 2)[1:] for line in said.splitlines()[1:-1]}
    command = "kubectl north -n dagster get secret dagster-admin -o 'jsonpath={.data.password}' | base64 -d"
    assert lines[f"http://dagster.localhost:{port}"] == ["admin", f"ODP_INVENTORY=trial ./odp {command}"]
    assert lines[f"http://keycloak.localhost:{port}"][1] == "none: unavailable (no image of it can be built here)"
    assert "postgres" not in said
    log = (fleet.directory / "connect.log").read_text()
    assert log == "odp: south: it has no kubeconfig yet. Create the cluster: ./odp up trial\n"


@pytest.mark.parametrize("host", ["dagster.localhost", "dagster.north.localhost:8080", "DAGSTER.localhost."])
def test_a_service_is_reached_by_name(ask: Callable[..., str], host: str) -> None:
    answer = ask(host, "/runs?limit=1", b"body")
    assert "dagster-1 was sent POST /runs?limit=1 HTTP/1.1\r\n" in answer and answer.endswith("\r\n\r\nbody")
    assert f"\r\nHost: {host}\r\n" in answer and "\r\nConnection: close\r\n" in answer


def test_it_listens_on_loopback_alone(ask: Callable[..., str], tunnel: tuple[str, int]) -> None:
    assert "superset-1 was sent" in ask("superset.localhost", address="::1")
    lines = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()]
    own = {line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{tunnel[1]:04X}")}
    assert {address.partition(":")[0] for address in own} == {"0100007F", "00000000000000000000000001000000"}


def test_one_connection_never_carries_requests_of_two_hosts(tunnel: tuple[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", tunnel[1]), timeout=30) as client:
        for host in (b"dagster", b"superset"):
            client.sendall(b"GET / HTTP/1.1\r\nHost: %s.localhost\r\nConnection: keep-alive\r\n\r\n" % host)
        answers = everything(client)
    assert answers.count(b"HTTP/1.1 200") == 1 and b"superset" not in answers


def test_a_websocket_passes_and_outlives_others(ask: Callable[..., str], tunnel: tuple[str, int], fleet: Any) -> None:
    with pod("dagster-2") as server, socket.create_connection(("127.0.0.1", tunnel[1]), timeout=30) as client:
        fleet.pods.ports["superset-1"], before = server.server_address[1], fleet.pods.ports["superset-1"]
        head = b"GET /socket HTTP/1.1\r\nHost: superset.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        client.sendall(head)
        assert client.recv(1024).startswith(b"HTTP/1.1 101 ")
        for data in (b"\x81\x00\xff", b"still"):
            client.sendall(data)
            assert client.recv(1024) == data[::-1]
            # The end of one connection is none of the others' business.
            assert "502 Bad Gateway" in ask("superset.localhost", "/reset")
        client.close()
        assert server.closed.wait(10), "the pod was not told that its client has gone"
        fleet.pods.ports["superset-1"] = before


def test_large_answers_come_whole_and_in_parallel(tunnel: tuple[str, int]) -> None:
    clients = [socket.create_connection(("127.0.0.1", tunnel[1]), timeout=60) for _ in range(3)]
    for client in clients:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: dagster.localhost\r\n\r\n")
    whole = b"".join(number.to_bytes(2, "big") * 50_000 for number in range(400))
    for client in clients:
        with client:
            found = everything(client).partition(b"\r\n\r\n")[2]
            assert hashlib.sha256(found).digest() == hashlib.sha256(whole).digest()


def test_an_unknown_host_is_answered_with_the_known_ones(ask: Callable[..., str]) -> None:
    answer = ask("dagstr.localhost")
    assert answer.startswith("HTTP/1.1 404 Not Found\r\n")
    assert "there is no dagstr.localhost. There are:\n  http://airflow.localhost:" in answer
    assert "\n  http://dagster.north.localhost:" in answer


def test_a_service_that_comes_later_is_found(ask: Callable[..., str], fleet: Any) -> None:
    fleet.describe("spark", host="spark-ui")
    fleet.serve("spark", "superset-1")
    assert "superset-1 was sent" in ask("spark-ui.localhost")


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("airflow", 502, "airflow of north: error forwarding port to pod airflow-1"),
        ("prefect", 503, "prefect of north: not ready: pod prefect-1: web: ImagePullBackOff no such image"),
        ("keycloak", 503, "keycloak of north: it is unavailable (no image of it can be built here)"),
        ("gitlab", 502, "gitlab of north: Service gitlab has no port 22, only: 80, 81."),
    ],
)
def test_what_is_not_well_says_why(ask: Callable[..., str], name: str, status: int, words: str) -> None:
    answer = ask(f"{name}.localhost", body=b"x" * 500_000)
    assert answer.startswith(f"HTTP/1.1 {status} ") and words in answer


def test_a_replaced_pod_needs_no_restart(ask: Callable[..., str], fleet: Any) -> None:
    with pod("dagster-9") as server:
        fleet.pods.ports["dagster-9"] = server.server_address[1]
        fleet.serve("dagster", "dagster-9")
        assert "dagster-9 was sent" in ask("dagster.localhost")
    fleet.serve("dagster", "dagster-1")
    assert "dagster-1 was sent" in ask("dagster.localhost")


def test_a_pod_that_is_gone_is_a_reason(ask: Callable[..., str], fleet: Any) -> None:
    fleet.serve("dagster", "dagster-1")
    fleet.api.request("DELETE", "/api/v1/namespaces/dagster/pods/dagster-1", {"gracePeriodSeconds": 0})
    assert "dagster of north: its pod cannot be reached: HTTP 404." in ask("dagster.localhost")
    fleet.serve("dagster", "dagster-1")


def test_what_a_cluster_had_is_known_while_it_is_silent(ask: Callable[..., str], fleet: Any) -> None:
    kubeconfig = fleet.directory / "trial/.state/kubeconfigs/north"
    hidden = kubeconfig.rename(kubeconfig.with_name("hidden"))
    answers = [ask("dagstr.localhost"), ask("superset.localhost")]
    hidden.rename(kubeconfig)
    assert "404 Not Found" in answers[0] and "http://superset.localhost:" in answers[0]
    assert "superset-1 was sent" in answers[1]


def test_it_goes_on_when_its_kubectl_was_killed(fleet: Any, ask: Callable[..., str]) -> None:
    with running(fleet, sys.executable, str(ROOT / "verbs/connect.py")) as (process, _said, port):
        request = b"GET / HTTP/1.1\r\nHost: superset.localhost\r\n\r\n"
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                client.sendall(request)
                assert b"superset-1 was sent" in everything(client)
            (child,) = children(process.pid)
            os.kill(child, signal.SIGKILL)
            wait_until(lambda gone=child: gone not in children(process.pid))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_that_was_started(fleet: Any, ask: Callable[..., str], sent: int) -> None:
    with running(fleet, sys.executable, str(ROOT / "verbs/connect.py")) as (process, _said, port):
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        client.sendall(b"GET /socket HTTP/1.1\r\nHost: superset.localhost\r\nUpgrade: websocket\r\n\r\n")
        assert client.recv(1024)
        (child,) = children(process.pid)
        process.send_signal(sent)
        assert process.wait(30) == 0
        assert not Path(f"/proc/{child}").exists()
        assert everything(client) == b""
        client.close()
    # The other one of this module has the only directory left.
    assert len([*fleet.directory.glob("odp-connect-*")]) == 1


def test_the_verb_of_odp_hands_a_signal_on(fleet: Any, ask: Callable[..., str]) -> None:
    with running(fleet, str(ROOT / "odp"), "connect") as (process, _said, port):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: superset.localhost\r\n\r\n")
            assert everything(client)
        family = [process.pid]
        for parent in family:
            family += children(parent)
        assert len(family) >= 3
        process.terminate()
        process.wait(30)
        assert [each for each in family if Path(f"/proc/{each}").exists()] == []


def test_a_port_in_use_is_refused_with_the_next_step(fleet: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = once(fleet, "--port", str(port))
    assert run.returncode == 1
    assert f"odp: port {port} of 127.0.0.1 is not available: Address already in use. `ss -ltnp" in run.stderr
    assert "--port 8081" in run.stderr


def test_without_a_service_it_says_what_each_cluster_lacks(fleet: Any) -> None:
    kubeconfig = fleet.directory / "trial/.state/kubeconfigs/north"
    hidden = kubeconfig.rename(kubeconfig.with_name("hidden"))
    run = once(fleet, "--port", str(api_server.free_port()))
    hidden.rename(kubeconfig)
    assert (run.returncode, run.stdout) == (1, "")
    for cluster in ("north", "south"):
        assert f"odp: {cluster}: it has no kubeconfig yet. Create the cluster: ./odp up trial\n" in run.stderr


def once(fleet: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "verbs/connect.py"), "trial", *arguments]
    return subprocess.run(command, env=fleet.environment, capture_output=True, text=True, timeout=60, check=False)


def children(process: int) -> list[int]:
    """Processes that a process started and that still run."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)
