# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From a kubeconfig to a connection; logging in is tried against a real API server."""

import json
import shlex
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import kubeconfig
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable

from api_server import ApiServer


def config(server: str, user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}, {"name": "other", "user": {"token": "other"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "other"}},
        ],
    }


def write(directory: Path, content: Any) -> str:
    (directory / "kubeconfig").write_text(yaml.safe_dump(content))
    return str(directory / "kubeconfig")


def test_the_context_decides_who_asks(tmp_path: Path) -> None:
    path = write(tmp_path, config("https://127.0.0.1:1/", {"token": "mine"}))
    assert kubeconfig.connect(path, None).headers == {"Authorization": "Bearer mine"}
    assert kubeconfig.connect(path, "two").headers == {"Authorization": "Bearer other"}
    assert kubeconfig.connect(path, None).server == "https://127.0.0.1:1"


def test_a_token_file_lies_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    path = write(tmp_path, config("https://127.0.0.1:1", {"tokenFile": "token"}))
    assert kubeconfig.connect(path, None).headers == {"Authorization": "Bearer from-file"}


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        ({}, None, "no complete kubeconfig"),
        (None, None, "no complete kubeconfig"),
        (config("https://x", {}), "three", "has no three under contexts"),
        ({**config("https://x", {}), "users": []}, None, "has no u under users"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, context: str | None, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(Unreachable, match=words) as caught:
        Cluster(path, context)
    assert path in str(caught.value)


def test_an_exec_plugin_logs_in(tmp_path: Path, server: ApiServer) -> None:
    ours = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "secret"}}
    command = ["-c", f"echo {shlex.quote(json.dumps(answer))}"]
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": command}
    plugin["interactiveMode"] = "Never"
    path = write(tmp_path, config(ours.pop("server"), {"exec": plugin}, **ours))
    assert Cluster(path).request("GET", "/api/v1/namespaces")["items"]


def test_a_certificate_of_a_stranger_is_not_trusted(tmp_path: Path, server: ApiServer) -> None:
    ours = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]
    path = write(tmp_path, config(ours["server"], {"token": "secret"}))
    with pytest.raises(Unreachable, match="certificate"):
        Cluster(path).request("GET", "/version")


def test_a_wrong_token_is_refused_by_the_server(tmp_path: Path, server: ApiServer) -> None:
    ours = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]
    path = write(tmp_path, config(ours.pop("server"), {"token": "wrong"}, **ours))
    with pytest.raises(ApiError, match="Unauthorized"):
        Cluster(path).request("GET", "/api/v1/namespaces")


def test_what_threads_share_is_set_once(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change while another thread connects corrupts what that thread sends (cpython#141012)."""
    asked: list[list[str]] = []
    original = ssl.SSLContext.set_alpn_protocols

    def count(tls: ssl.SSLContext, protocols: list[str]) -> None:
        asked.append(protocols)
        original(tls, protocols)

    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", count)
    connection = kubeconfig.connect(str(server.kubeconfig), None)
    for _ in range(2):
        connection.pool.request("GET", f"{connection.server}/version", headers=connection.headers)
        connection.pool.clear()
    assert asked == [["http/1.1"]]
