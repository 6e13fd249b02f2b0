# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pure parts of connect: heads of requests, which pods are meant, and why there are none."""

from typing import Any

import pytest

from connect_text import Refused, endpoints, parse, reasons

SERVICE: dict[str, Any] = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 81}]}}


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("Host: dagster.localhost:8080", "dagster.localhost"),
        ("HOST:DAGSTER.localhost", "dagster.localhost"),
        ("host: dagster.localhost.", "dagster.localhost"),
        ("host: dagster.localhost.:80", "dagster.localhost"),
        ("host: [::1]:8080", "[::1]"),
        ("host:", ""),
    ],
)
def test_the_host_is_read_without_its_port(line: str, host: str) -> None:
    assert parse(head("GET / HTTP/1.1", line)).host == host


def test_a_request_is_the_only_one_of_its_connection() -> None:
    lines = ["Host: a", "Connection: keep-alive, Upgrade", "Keep-Alive: 5", "Upgrade: h2c", "X-Connection: 1"]
    sent = parse(head("GET / HTTP/1.1", *lines)).forward
    assert sent == head("GET / HTTP/1.1", "Host: a", "X-Connection: 1", "Connection: close")


def test_a_websocket_is_left_as_it_is() -> None:
    asked = head("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "upgrade: WebSocket")
    assert parse(asked).forward == asked


def test_the_host_of_a_whole_address_counts() -> None:
    assert parse(head("GET http://superset.localhost:8080/x HTTP/1.1", "Host: a")).host == "superset.localhost"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["GET / HTTP/1.1"], "has 0 Host headers"),
        (["GET / HTTP/1.1", "Host: a", "Host: b"], "has 2 Host headers"),
        (["PRI * HTTP/2.0"], "Not an HTTP/1.1 request"),
        (["hello"], "Not an HTTP/1.1 request"),
    ],
)
def test_what_names_no_service_is_refused(lines: list[str], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        parse(head(*lines))
    assert refused.value.status == 400


def endpoint(pod: str, **conditions: bool) -> dict[str, Any]:
    return {"conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def test_only_ready_pods_are_endpoints_with_the_port_of_their_container() -> None:
    slices = [
        {
            "ports": [{"name": "http", "port": 3000}, {"port": 9}],
            "endpoints": [endpoint("b"), endpoint("a", ready=True)],
        },
        {"ports": [{"name": "http", "port": 3001}], "endpoints": [endpoint("c", ready=False), {"addresses": ["x"]}]},
        {"ports": None, "endpoints": None},
    ]
    assert endpoints(SERVICE, slices, 80) == [("a", 3000), ("b", 3000)]
    assert endpoints(SERVICE, slices, 81) == [("a", 9), ("b", 9)]
    assert endpoints(SERVICE, [], 80) == []


def test_a_port_that_the_service_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(Refused, match=r"Service web has no port 8080, only: 80, 81\."):
        endpoints(SERVICE, [], 8080)


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": status}


def container(**state: Any) -> dict[str, Any]:
    return {"name": "web", "ready": False, "state": state}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Pending"}, "pod web-1: Pending"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]},
            "pod web-1: 0/1 nodes are available",
        ),
        (
            {"containerStatuses": [container(waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"})]},
            "pod web-1: web: CrashLoopBackOff back-off 10s",
        ),
        ({"initContainerStatuses": [container(terminated={"reason": "Error"})]}, "pod web-1: web: Error"),
        (
            {
                "phase": "Running",
                "initContainerStatuses": [container(terminated={"reason": "Completed"})],
                "containerStatuses": [container(running={})],
            },
            "pod web-1: Running",
        ),
    ],
)
def test_a_pod_says_why_it_is_not_ready(status: dict[str, Any], words: str) -> None:
    assert reasons([pod(**status)], None) == words


def test_flux_says_why_there_are_no_pods() -> None:
    condition = {"type": "Ready", "status": "False", "message": "dependency 'flux-system/postgres' is not ready"}
    said = reasons([], {"status": {"conditions": [condition]}})
    assert said == "Flux: dependency 'flux-system/postgres' is not ready"
    assert reasons([], {"status": {"conditions": [{**condition, "status": "True"}]}}) == "it has no pods."
    assert reasons([], None) == "it has no pods."
