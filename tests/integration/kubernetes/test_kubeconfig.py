# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Authentication with a kubeconfig against a real API server."""

import json
import shlex
import ssl
from pathlib import Path

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import client
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable

from api_server import ApiServer
from kubeconfigs import config, write


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
    before = server.requests()
    with pytest.raises(ApiError, match="Unauthorized"):
        Cluster(path).request("GET", "/api/v1/namespaces")
    assert server.requests() == before, "the audit log has no name for such a client"


def test_what_threads_share_is_set_once(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change while another thread connects corrupts what that thread sends (cpython#141012)."""
    asked: list[list[str]] = []
    original = ssl.SSLContext.set_alpn_protocols

    def count(tls: ssl.SSLContext, protocols: list[str]) -> None:
        asked.append(protocols)
        original(tls, protocols)

    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", count)
    connection = client.connect(str(server.kubeconfig), None)
    for _ in range(2):
        connection.pool.request("GET", f"{connection.server}/version", headers=connection.headers)
        connection.pool.clear()
    assert asked == [["http/1.1"]]
