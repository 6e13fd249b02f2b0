# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module oci_artifact against the fleet's real registry: what is asked of it, what is refused, what is shown."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates
from ansible_collections.opendata.platform.plugins.module_utils.oci.registry import Repository

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


def test_a_published_artifact_that_is_damaged_is_replaced(run: Run, registry: Any, warned: list[str]) -> None:
    run("oci_artifact", **plain(registry))
    for data in (registry.storage / "docker/registry/v2/blobs/sha256").glob("*/*/data"):
        if data.read_bytes().startswith(b"\x1f\x8b"):
            data.unlink()
    made = run("oci_artifact", **plain(registry, OTHER))
    assert made["changed"] and [each["after_header"] for each in made["diff"][1:]] == ["other.yaml"]
    assert len(warned) == 1 and warned[0].startswith(
        f"The published files cannot be compared: http://{registry.address} answers 404"
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


def test_a_login(run: Run, start: Start, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    registry = start(auth={"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}})
    login = {"username": "publisher", "password": "correct horse"}
    assert run("oci_artifact", **plain(registry, **login))["changed"]
    assert not run("oci_artifact", **plain(registry, **login))["changed"]
    request = "HEAD /v2/odp/test/north/manifests/latest"
    begin = f"{registry.address}/odp/test/north:latest was not published: "
    begin += f"http://{registry.address} answers 401 Unauthorized"
    wrong = run("oci_artifact", **plain(registry, username="publisher", password="wrong horse"))
    step = "username 'publisher' is not authorized. Correct username and password."
    assert wrong["msg"] == f"{begin} to {request}: {step}"
    assert "wrong horse" not in str(wrong)
    nobody = run("oci_artifact", check=True, **plain(registry))
    step = "a request without login is not authorized. Set username and password."
    assert nobody["msg"] == f"{begin} to {request}: {step}"


def test_an_address_that_only_reads(run: Run, start: Start) -> None:
    failed = run("oci_artifact", **plain(start(read_only=True)))
    assert "answers 405 Method Not Allowed to POST /v2/odp/test/north/blobs/uploads/" in failed["msg"]
    assert failed["msg"].endswith(": this address is read-only. Use the registry's address for pushes.")


@pytest.fixture
def tls(tmp_path: Path, start: Start) -> tuple[Any, Path]:
    """A registry with a certificate of its own CA, and that CA's certificate."""
    now = datetime.datetime.now(datetime.UTC)
    authority = certificates.make_authority("test", 1, now)
    pair = certificates.issue("registry", ["127.0.0.1"], ["serverAuth"], authority, 1, now)
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
        f"{address}/a/b:c was not published: https://{address} has a certificate that is not trusted: "
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
