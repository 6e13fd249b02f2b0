# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module oci_artifact: what is refused, and what other servers than a registry answer."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api_server import free_port

Run = Callable[..., dict[str, Any]]
FILES = {"platform/team.yaml": "kind: Kustomization\n"}


def test_a_registry_that_is_down(run: Run, warned: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    arguments = {"reference": f"{address}/a/b:c", "insecure": True, "files": FILES}
    failed = run("oci_artifact", **arguments)
    assert failed["msg"].startswith(f"{address}/a/b:c was not published: http://{address} does not answer (")
    assert failed["msg"].endswith("Start the registry or correct reference.")
    assert warned == []
    planned = run("oci_artifact", check=True, **arguments)
    assert planned["changed"] and [each["before"] for each in planned["diff"]] == ["", ""]
    assert len(warned) == 1 and warned[0].endswith("correct reference. Everything is planned as new.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of the following is required: files, chart"),
        ({"files": FILES, "chart": "/srv/chart"}, "parameters are mutually exclusive: files|chart"),
        ({"files": FILES, "username": "x"}, "parameters are required together: username, password"),
    ],
)
def test_options_that_do_not_go_together(run: Run, arguments: dict[str, Any], message: str) -> None:
    assert run("oci_artifact", reference="127.0.0.1:1/a:b", **arguments)["msg"] == message


def test_all_findings_come_at_once_and_show_no_text(run: Run) -> None:
    files = {"/a": "very-secret", "../b": ""}
    failed = run("oci_artifact", reference="a", ca_path="/missing", files=files, _ansible_inject_invocation=True)
    assert failed["findings"] == [
        "reference 'a' is not host:port/repository:tag: write it without oci:// and digest, with a tag, "
        "and the repository in lower case",
        "ca_path /missing cannot be used: [Errno 2] No such file or directory. Give a PEM file with certificates",
        "files: '../b' leaves the tree: write it without ..",
        "files: '/a' is absolute: write it relative to the root of the tree",
    ]
    assert failed["msg"] == f"Nothing was published: {'; '.join(failed['findings'])}."
    assert failed["invocation"]["module_args"]["files"] == ["../b", "/a"] and "very-secret" not in str(failed)


def test_a_ca_path_is_of_no_use_without_tls(run: Run) -> None:
    failed = run("oci_artifact", reference="127.0.0.1:1/a:b", files=FILES, insecure=True, ca_path="/missing")
    assert failed["findings"] == ["ca_path has no effect with insecure: true: remove one of them"]


def test_a_ca_path_that_holds_no_certificate(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_text("none")
    failed = run("oci_artifact", reference="127.0.0.1:1/a:b", files=FILES, ca_path=str(path))
    assert failed["msg"].startswith(f"Nothing was published: ca_path {path} cannot be used: ")
    assert failed["msg"].endswith(". Give a PEM file with certificates.")


@pytest.fixture
def stranger() -> Iterator[Callable[..., str]]:
    """stranger(status, header=...) -> address of a server that answers so to everything."""
    servers = []

    def begin(status: int, **headers: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (
            404,
            {},
            "answers 404 Not Found to POST /v2/a/blobs/uploads/: this is not a registry, or the repository "
            "does not exist. Correct reference, or create the repository.",
        ),
        (403, {}, "username 'x' is not allowed to do this. Grant it the right to push to this repository."),
        (
            401,
            {"WWW_Authenticate": "Bearer realm=x"},
            "it requires a bearer token, which is not supported: use a registry with basic authentication.",
        ),
        (503, {}, "answers 503 Service Unavailable to HEAD /v2/a/manifests/b: check the registry's log."),
        (
            307,
            {"Location": "http://127.0.0.1:1/"},
            "answers 307 Temporary Redirect to HEAD /v2/a/manifests/b: check the registry's log.",
        ),
    ],
)
def test_what_a_stranger_answers(
    run: Run, stranger: Callable[..., str], status: int, headers: dict[str, str], words: str
) -> None:
    address = stranger(status, **headers)
    login = {"username": "x", "password": "y" * 20}
    failed = run("oci_artifact", reference=f"{address}/a:b", insecure=True, files=FILES, **login)
    assert failed["failed"] and failed["msg"].endswith(words)
