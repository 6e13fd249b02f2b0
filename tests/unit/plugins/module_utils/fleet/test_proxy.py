# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""HTTP proxy settings: what each program reads, and that no password gets into the record."""

import base64
import dataclasses
import hashlib
import http.server
import json
import shlex
import threading
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.fleet import proxy
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.node import download
from hypothesis import given
from hypothesis import strategies as st

import inventories

URL = "http://anna:hunter2@proxy.example.org:3128"


def proxied(url: str = URL, fixture: str = "existing-hosts") -> tuple[dict[str, Any], list[Any]]:
    inventory = inventories.load("valid", fixture)
    common = {**inventory.common, "platform_https_proxy": url, "platform_no_proxy": "git.example.org, 198.51.100.0/24"}
    return describe(dataclasses.replace(inventory, common=common))


def test_what_is_always_reached_without_it() -> None:
    record, findings = proxied()
    assert findings == []
    assert record["clusters"]["metal"]["no_proxy"] == [
        "localhost", "127.0.0.1", "::1", ".svc", ".cluster.local", "10.244.0.0/16", "10.96.0.0/16",
        "192.0.2.11", "192.0.2.12", "git.example.org", "198.51.100.0/24",
    ]  # fmt: skip
    three = proxied(fixture="three")[0]["clusters"]["north"]["no_proxy"]
    assert "api.north.example.org" in three


def test_the_record_and_findings_hold_no_password() -> None:
    assert "hunter2" not in json.dumps(proxied()[0])
    findings = proxied("htp://anna:hunter2@proxy:3128")[1]
    assert [str(each) for each in findings] == [
        "existing-hosts: platform_https_proxy: 'htp://...@proxy:3128' is not valid: HTTP proxy for https:// URLs "
        "(hosts.yml). Write a URL such as http://10.77.0.1:5000."
    ]


def test_without_a_proxy_there_is_nothing() -> None:
    assert proxy.environment("", "", ["localhost"]) == {}


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1))
def test_a_shell_reads_what_systemd_reads(url: str) -> None:
    variables = proxy.environment("", url, ["localhost"])
    words = dict(word.split("=", 1) for word in shlex.split(proxy.environment_file(variables)))
    assert words == variables == {**variables, "HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": "localhost"}


def test_apt_is_told_hosts_only() -> None:
    variables = proxy.environment("", URL, ["localhost", "::1", ".svc", "10.0.0.0/8", "192.0.2.11"])
    assert proxy.apt(variables) == (
        f'Acquire::https::Proxy "{URL}";\n'
        'Acquire::https::Proxy::localhost "DIRECT";\n'
        'Acquire::https::Proxy::192.0.2.11 "DIRECT";\n'
    )


class StandInProxy(http.server.BaseHTTPRequestHandler):
    """Answers every request itself, and keeps which came with what."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"data")

    def log_message(self, *_: Any) -> None:
        pass


def test_downloads_of_a_node_go_through_it(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandInProxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = tmp_path / "proxy.env"
    url = f"http://anna:hunter2@127.0.0.1:{server.server_port}"
    file.write_text(proxy.environment_file(proxy.environment(url, "", ["localhost"])))
    monkeypatch.setattr(download, "PROXY_FILE", str(file))
    for name in proxy.environment("x", "x", []):
        monkeypatch.setenv(name, "")
    # urllib keeps what it found at its first request.
    monkeypatch.setattr(urllib.request, "_opener", None)
    target = {"path": str(tmp_path / "data"), "sha256": hashlib.sha256(b"data").hexdigest()}
    try:
        made = run("node_files", files=[{**target, "url": "http://releases.invalid/data"}])
    finally:
        server.shutdown()
        server.server_close()
        urllib.request._opener = None
    assert made["changed"], made
    login = "Basic " + base64.b64encode(b"anna:hunter2").decode()
    assert StandInProxy.asked == [("http://releases.invalid/data", login)]
    assert "hunter2" not in json.dumps(made)
