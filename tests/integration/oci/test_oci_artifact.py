# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module oci_artifact against the fleet's real registry: what is asked of it, what is refused, what is shown."""

import datetime
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import issue
from ansible_collections.opendata.platform.plugins.module_utils.oci.registry import Repository

import api_server

Run = Callable[..., dict[str, Any]]
Start = Callable[..., Any]
FILES = {"platform/team.yaml": "kind: Kustomization\n", "services/team/manifests.yaml": "kind: Namespace\n"}
OTHER = {"other.yaml": "{}\n"}
HTPASSWD = "publisher:$2b$04$Jjc3fOqfWBKQ8I.XI5O8hO8LE2GFYRdM8GF0LPM1qpvEOZhrWw6DO\n"  # correct horse


def plain(registry: Any, files: Any = FILES, **more: Any) -> dict[str, Any]:
    """The module's arguments for a registry without TLS."""
    return {"reference": f"{registry.address}/odp/test/north:latest", "insecure": True, "files": files, **more}


def test_a_second_run_is_one_request(run: Run, registry: Any) -> None:
    made = run("oci_artifact", **plain(registry))
    assert made["changed"] and made["reference"] == f"{registry.address}/odp/test/north:latest@{made['digest']}"
    before = registry.requests()
    assert before[-1] == "PUT /v2/odp/test/north/manifests/latest 201"
    again = run("oci_artifact", **plain(registry, dict(reversed(FILES.items()))))
    assert (again["changed"], again["digest"], again["diff"]) == (False, made["digest"], [])
    assert registry.requests()[len(before) :] == ["HEAD /v2/odp/test/north/manifests/latest 200"]


def test_blobs_that_are_there_are_not_sent_again(run: Run, registry: Any) -> None:
    made = run("oci_artifact", **plain(registry))
    run("oci_artifact", **plain(registry, OTHER))
    before = registry.requests()
    back = run("oci_artifact", **plain(registry))
    assert back["changed"] and back["digest"] == made["digest"]
    sent = [each for each in registry.requests()[len(before) :] if not each.startswith(("HEAD", "GET"))]
    assert sent == ["PUT /v2/odp/test/north/manifests/latest 201"]


def test_check_mode_pushes_nothing_and_knows_the_digest(run: Run, registry: Any) -> None:
    planned = run("oci_artifact", check=True, **plain(registry))
    assert planned["changed"] and registry.requests() == ["HEAD /v2/odp/test/north/manifests/latest 404"]
    made = run("oci_artifact", **plain(registry))
    assert made["changed"] and made["digest"] == planned["digest"] and made["diff"] == planned["diff"]
    assert not run("oci_artifact", check=True, **plain(registry))["changed"]


def test_the_diff_is_what_changes_against_what_is_published(run: Run, registry: Any) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "very-secret"}}
    run("oci_artifact", **plain(registry, {**FILES, "secret.yaml": yaml.safe_dump(secret)}))
    secret["stringData"]["key"] = "other-secret"
    changed = {"platform/team.yaml": "kind: HelmRelease\n", "secret.yaml": yaml.safe_dump(secret)}
    planned = run("oci_artifact", check=True, **plain(registry, changed))
    whole, *entries = planned["diff"]
    assert whole["before"] != whole["after"] == f"{planned['digest']}\n"
    assert [(each["after_header"], bool(each["before"]), bool(each["after"])) for each in entries] == [
        ("platform/team.yaml", True, True),
        ("secret.yaml", True, True),
        ("services/team/manifests.yaml", True, False),
    ]
    assert (entries[0]["before"], entries[0]["after"]) == ("kind: Kustomization\n", "kind: HelmRelease\n")
    assert "very-secret" not in str(planned) and "other-secret" not in str(planned)


def test_a_published_artifact_that_is_damaged_is_replaced(run: Run, registry: Any, said: list[str]) -> None:
    run("oci_artifact", **plain(registry))
    for data in (registry.storage / "docker/registry/v2/blobs/sha256").glob("*/*/data"):
        if data.read_bytes().startswith(b"\x1f\x8b"):
            data.unlink()
    made = run("oci_artifact", **plain(registry, OTHER))
    assert made["changed"] and [each["after_header"] for each in made["diff"][1:]] == ["other.yaml"]
    assert len(said) == 1 and said[0].startswith(
        f"What is published cannot be compared: http://{registry.address} answers 404"
    )


def test_a_push_that_is_killed_leaves_what_was_published(
    run: Run, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("oci_artifact", **plain(registry))
    upload, sent = Repository._upload, []

    def killed(self: Repository, blob: Any) -> None:
        if sent:
            raise InterruptedError
        upload(self, blob)
        sent.append(blob)

    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(Repository, "_upload", killed)
        run("oci_artifact", **plain(registry, OTHER))
    assert sent and not run("oci_artifact", **plain(registry))["changed"]
    before = len(registry.requests())
    assert run("oci_artifact", **plain(registry, OTHER))["digest"] != made["digest"]
    assert f"HEAD /v2/odp/test/north/blobs/{sent[0].digest} 200" in registry.requests()[before:]


def test_a_registry_that_is_down(run: Run, said: list[str]) -> None:
    address = f"127.0.0.1:{api_server.free_port()}"
    arguments = {"reference": f"{address}/a/b:c", "insecure": True, "files": FILES}
    failed = run("oci_artifact", **arguments)
    assert failed["msg"].startswith(f"{address}/a/b:c is not published: http://{address} does not answer (")
    assert failed["msg"].endswith("Start the registry or correct reference.")
    assert said == []
    planned = run("oci_artifact", check=True, **arguments)
    assert planned["changed"] and [each["before"] for each in planned["diff"]] == ["", "", ""]
    assert len(said) == 1 and said[0].endswith("correct reference. All is planned as new.")


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
        "files: '/a' is absolute: write it from the root of the tree, without / in front",
    ]
    assert failed["msg"] == f"This cannot be published: {'; '.join(failed['findings'])}."
    assert failed["invocation"]["module_args"]["files"] == ["../b", "/a"] and "very-secret" not in str(failed)


def test_a_ca_path_is_of_no_use_without_tls(run: Run) -> None:
    failed = run("oci_artifact", reference="127.0.0.1:1/a:b", files=FILES, insecure=True, ca_path="/missing")
    assert failed["findings"] == ["insecure: true leaves ca_path without meaning: remove one of them"]


def test_a_login(run: Run, start: Start, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    registry = start(auth={"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}})
    login = {"username": "publisher", "password": "correct horse"}
    assert run("oci_artifact", **plain(registry, **login))["changed"]
    assert not run("oci_artifact", **plain(registry, **login))["changed"]
    request = "HEAD /v2/odp/test/north/manifests/latest"
    begin = (
        f"{registry.address}/odp/test/north:latest is not published: http://{registry.address} answers 401 Unauthorized"
    )
    wrong = run("oci_artifact", **plain(registry, username="publisher", password="wrong horse"))
    step = "username 'publisher' is not let in. Correct username and password."
    assert wrong["msg"] == f"{begin} to {request}: {step}"
    assert "wrong horse" not in str(wrong)
    nobody = run("oci_artifact", check=True, **plain(registry))
    step = "a request without login is not let in. Set username and password."
    assert nobody["msg"] == f"{begin} to {request}: {step}"


def test_an_address_that_only_reads(run: Run, start: Start) -> None:
    failed = run("oci_artifact", **plain(start(read_only=True)))
    assert "answers 405 Method Not Allowed to POST /v2/odp/test/north/blobs/uploads/" in failed["msg"]
    assert failed["msg"].endswith(": this address only reads. Use the registry's address for pushes.")


@pytest.fixture
def tls(tmp_path: Path, start: Start) -> tuple[Any, Path]:
    """A registry with a certificate of its own CA, and that CA's certificate."""
    now = datetime.datetime.now(datetime.UTC)
    authority = issue.make_authority("test", 1, now)
    pair = issue.issue("registry", ["127.0.0.1"], ["serverAuth"], authority, 1, now)
    for name, text in {"ca.crt": authority.cert, "tls.crt": pair.cert, "tls.key": pair.key}.items():
        (tmp_path / name).write_text(text)
    files = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    return start(http={"tls": files}), tmp_path / "ca.crt"


def test_tls_with_an_own_authority(run: Run, tls: tuple[Any, Path]) -> None:
    registry, authority = tls
    arguments = {"reference": f"{registry.address}/a/b:c", "files": FILES}
    assert run("oci_artifact", **arguments, ca_path=str(authority))["changed"]
    assert not run("oci_artifact", **arguments, ca_path=str(authority))["changed"]
    unknown = run("oci_artifact", check=True, **arguments)
    address = registry.address
    assert unknown["msg"].startswith(
        f"{address}/a/b:c is not published: https://{address} has a certificate that is not trusted: "
    )
    assert unknown["msg"].endswith(". Set ca_path to the certificate of its CA.")


def test_tls_where_plain_http_is_meant_and_the_other_way_round(run: Run, registry: Any, tls: tuple[Any, Path]) -> None:
    failed = run("oci_artifact", **plain(registry, insecure=False))
    assert failed["msg"].endswith(
        f"https://{registry.address} does not speak TLS. If plain HTTP is meant, set insecure: true."
    )
    failed = run("oci_artifact", **plain(tls[0]))
    assert "answers 400 Bad Request to HEAD" in failed["msg"]
    assert failed["msg"].endswith(": if it speaks TLS, remove insecure: true.")


def test_a_ca_path_that_holds_no_certificate(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_text("none")
    failed = run("oci_artifact", reference="127.0.0.1:1/a:b", files=FILES, ca_path=str(path))
    assert failed["msg"].startswith(f"This cannot be published: ca_path {path} cannot be used: ")
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
            "answers 404 Not Found to POST /v2/a/blobs/uploads/: this is no registry, or it does not know the "
            "repository. Correct reference, or make the repository.",
        ),
        (403, {}, "username 'x' may not do this. Give it the right to push to this repository."),
        (
            401,
            {"WWW_Authenticate": "Bearer realm=x"},
            "it wants a token (Bearer), which is not supported: use a registry with basic authentication.",
        ),
        (503, {}, "answers 503 Service Unavailable to HEAD /v2/a/manifests/b: look at the registry's log."),
        (
            307,
            {"Location": "http://127.0.0.1:1/"},
            "answers 307 Temporary Redirect to HEAD /v2/a/manifests/b: look at the registry's log.",
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
