# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The whole action against a local server of releases: what is kept, what is refused, what a killed run leaves."""

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.action.artifacts import Provider
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import JobError

from repository import TESTS

DIGEST = "sha256:" + "12" * 32


def archive(**members: bytes) -> bytes:
    """Return a tar.gz; ``__`` in a name stands for a slash."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


class Releases(ThreadingHTTPServer):
    """A server of releases and a registry that wants a token; ``files`` holds what it has."""

    daemon_threads = True

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut: str = ""
        self.slow: str = ""
        self.digest = DIGEST
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"

    def publish(self, name: str, content: bytes, checksum: str | None = None) -> None:
        """Put a file and its checksum there."""
        self.files[f"/{name}"] = content
        self.files[f"/{name}.sha256"] = (checksum or f"{hashlib.sha256(content).hexdigest()}  {name}\n").encode()


class Handler(BaseHTTPRequestHandler):
    server: Releases

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        if not self.path.startswith("/v2/"):
            return self.give(200)
        if self.headers.get("Authorization") != "Bearer secret":
            challenge = f'Bearer realm="{self.server.base}/token",service="registry"'
            return self.give(401, {"WWW-Authenticate": challenge})
        known = self.path == "/v2/pause/manifests/1"
        return self.give(200 if known else 404, {"Docker-Content-Digest": self.server.digest} if known else {})

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/token?service=registry&scope=repository:pause:pull"):
            return self.give(200, body=b'{"token": "secret"}')
        if self.path not in self.server.files:
            return self.give(404)
        body = self.server.files[self.path]
        if self.path == self.server.slow:
            self.give(200, {"Content-Length": str(len(body))}, body[: len(body) // 2], close=False)
            time.sleep(30)
        if self.path == self.server.cut:
            return self.give(200, {"Content-Length": str(len(body))}, body[: len(body) // 2])
        return self.give(200, body=body)

    def give(self, code: int, headers: dict[str, str] | None = None, body: bytes = b"", close: bool = True) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = close


@pytest.fixture
def releases() -> Iterator[Releases]:
    server = Releases()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    server.publish("kubelet", b"kubelet one" * 1000)
    server.publish("chart.tgz", b"chart one")
    server.publish("tools.tar.gz", archive(bin__ctr=b"ctr one", bin__shim=b"shim one"))
    yield server
    server.shutdown()
    server.server_close()


class Fleet:
    """A fleet in a temporary directory that downloads from the test's server."""

    def __init__(self, home: Path, releases: Releases) -> None:
        self.home, self.releases, self.said = home, releases, []
        (home / "x/.state").mkdir(parents=True)
        self.cache, self.lock = home / "cache", home / "x/.state/artifacts.lock.yml"
        tools = {"url": f"{releases.base}/tools.tar.gz", "checksum": f"{releases.base}/tools.tar.gz.sha256"}
        kubelet = {"url": f"{releases.base}/kubelet", "checksum": f"{releases.base}/kubelet.sha256"}
        chart = {"url": f"{releases.base}/chart.tgz", "checksum": f"{releases.base}/chart.tgz.sha256"}
        self.table = {
            "kubernetes": {"version": "1", "binaries": ["kubelet"], "download": {"kubelet": kubelet}},
            "tools": {
                "version": "1",
                "binaries": ["ctr", "shim"],
                "download": {"ctr": {**tools, "member": "bin/ctr"}, "shim": {**tools, "member": "bin/shim"}},
            },
            "chart": {"version": "1", "file": "chart", "download": {"chart": chart}},
            "image": {"version": "1", "image": "registry.example.org/pause:1", "download": True},
        }
        self.source, self.build_allowed = "download", False

    def arguments(self) -> dict:
        return {
            "source": self.source,
            "build_allowed": self.build_allowed,
            "table": self.table,
            "registries": {"registry.example.org": self.releases.base},
            "unwanted": [],
            "jobs": 2,
            "state": str(self.lock.parent),
            "cache": str(self.cache),
        }

    def run(self, check: bool = False) -> dict:
        return Provider(self.arguments(), self.home, self.said.append).provide(check)

    def refused(self) -> str:
        with pytest.raises(JobError) as failure:
            self.run()
        return str(failure.value)

    def kept(self) -> list[str]:
        """Return all files of the cache but logs and the lock of runs."""
        files = (path.relative_to(self.cache) for path in self.cache.rglob("*") if path.is_file())
        return sorted(str(path) for path in files if path.parts[0] not in ("log", "artifacts.lock"))


@pytest.fixture
def fleet(tmp_path: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    # The test's process must not end with pytest's parent.
    monkeypatch.setattr("ansible_collections.opendata.platform.plugins.action.artifacts.end_with_parent", lambda: None)
    return Fleet(tmp_path, releases)


def test_good_releases_are_kept_and_locked(fleet: Fleet) -> None:
    found = fleet.run()
    assert found["changed"]
    artifacts = found["artifacts"]
    kubelet = artifacts["binaries"]["kubelet"]
    path = Path(artifacts["store"], kubelet["path"])
    assert path.read_bytes() == b"kubelet one" * 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert kubelet["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (kubelet["origin"], kubelet["url"]) == ("download", f"{fleet.releases.base}/kubelet")
    ctr = artifacts["binaries"]["ctr"]
    assert ctr["sha256"] == hashlib.sha256(b"ctr one").hexdigest()
    assert ctr["member"] == "bin/ctr"
    assert artifacts["images"] == {
        "registry.example.org/pause:1": {"digest": DIGEST, "origin": "download", "version": "1"}
    }
    assert Path(artifacts["files"]["chart"]["path"]).is_file()
    assert fleet.releases.asked.count("/tools.tar.gz") == 1
    assert stat.S_IMODE(fleet.lock.stat().st_mode) == 0o600
    locked = yaml.safe_load(fleet.lock.read_text())
    assert locked["binaries"]["ctr"]["digest"] == f"sha256:{ctr['sha256']}"
    assert locked["binaries"]["ctr"]["checksum"].startswith("sha256:")
    assert any("download kubernetes 1: done" in line for line in fleet.said)


def test_second_run_asks_nothing_and_changes_nothing(fleet: Fleet) -> None:
    first = fleet.run()
    before, bytes_before = fleet.releases.asked[:], fleet.lock.stat().st_mtime_ns
    second = fleet.run()
    assert not second["changed"]
    assert second["artifacts"] == first["artifacts"]
    assert fleet.releases.asked == before
    assert fleet.lock.stat().st_mtime_ns == bytes_before


def test_check_mode_touches_nothing_and_tells_what_is_due(fleet: Fleet) -> None:
    found = fleet.run(check=True)
    assert found["changed"]
    assert found["diff"][0]["after"].splitlines() == [
        "download kubernetes",
        "download tools",
        "download chart",
        "download registry.example.org/pause:1",
    ]
    assert found["artifacts"]["binaries"]["kubelet"]["sha256"] == ""
    assert found["artifacts"]["images"]["registry.example.org/pause:1"]["digest"] == ""
    assert not fleet.cache.exists()
    assert not fleet.lock.exists()
    fleet.run()
    assert not fleet.run(check=True)["changed"]


def test_wrong_checksum_is_refused(fleet: Fleet) -> None:
    fleet.releases.publish("kubelet", b"something else", checksum="ab" * 32)
    text = fleet.refused()
    for part in ("kubelet", f"{fleet.releases.base}/kubelet", "ab" * 32, hashlib.sha256(b"something else").hexdigest()):
        assert part in text
    assert not any("kubelet" in name for name in fleet.kept())
    assert not fleet.lock.exists()


@pytest.mark.parametrize("lost_cache", [True, False])
def test_release_that_changed_after_the_lock_is_refused(fleet: Fleet, lost_cache: bool) -> None:
    fleet.run()
    old = hashlib.sha256(b"kubelet one" * 1000).hexdigest()
    if lost_cache:
        fleet.cache = fleet.home / "other"
    else:
        next(fleet.cache.glob("artifacts/kubernetes-*/kubelet")).write_bytes(b"altered")
    fleet.releases.publish("kubelet", b"kubelet two")
    text = fleet.refused()
    new = hashlib.sha256(b"kubelet two").hexdigest()
    for part in ("kubelet 1", f"{fleet.releases.base}/kubelet", old, new, str(fleet.lock), "remove the entry"):
        assert part in text
    assert fleet.releases.asked.count("/kubelet") <= 2
    assert old in fleet.lock.read_text()


def test_cache_of_another_fleet_does_not_escape_the_lock(fleet: Fleet) -> None:
    fleet.run()
    text = fleet.lock.read_text()
    fleet.lock.write_text(text.replace(hashlib.sha256(b"ctr one").hexdigest(), "ab" * 32))
    assert "ctr 1: the digest of the file changed" in fleet.refused()


def test_image_that_changed_after_the_lock_is_refused(fleet: Fleet) -> None:
    fleet.run()
    fleet.cache = fleet.home / "other"
    fleet.releases.digest = "sha256:" + "34" * 32
    text = fleet.refused()
    for part in ("registry.example.org/pause:1", DIGEST, "34" * 32, str(fleet.lock)):
        assert part in text


def test_new_version_replaces_the_lock_s_entry(fleet: Fleet) -> None:
    fleet.run()
    fleet.releases.publish("kubelet2", b"kubelet two")
    url = f"{fleet.releases.base}/kubelet2"
    fleet.table["kubernetes"] = {
        "version": "2",
        "binaries": ["kubelet"],
        "download": {"kubelet": {"url": url, "checksum": f"{url}.sha256"}},
    }
    assert fleet.run()["changed"]
    assert yaml.safe_load(fleet.lock.read_text())["binaries"]["kubelet"]["version"] == "2"


def test_altered_file_is_noticed_and_fetched_again(fleet: Fleet) -> None:
    fleet.run()
    path = next(fleet.cache.glob("artifacts/tools-*/ctr"))
    path.write_bytes(b"ctr odd")
    assert fleet.run()["changed"]
    assert path.read_bytes() == b"ctr one"


def test_missing_member_names_what_the_archive_has(fleet: Fleet) -> None:
    fleet.table["tools"]["download"]["ctr"]["member"] = "bin/none"
    text = fleet.refused()
    for part in ("ctr", "tools.tar.gz", "bin/none", "bin/ctr", "bin/shim"):
        assert part in text


@pytest.mark.parametrize("path", ["/kubelet", "/kubelet.sha256"])
def test_missing_release_names_address_and_variables(fleet: Fleet, path: str) -> None:
    del fleet.releases.files[path]
    text = fleet.refused()
    for part in (f"{fleet.releases.base}{path}", "404", "artifacts_versions", "artifacts_releases"):
        assert part in text


def test_missing_image_is_named(fleet: Fleet) -> None:
    fleet.table["image"]["image"] = "registry.example.org/pause:2"
    assert "registry.example.org/pause:2" in fleet.refused()


def test_truncated_download_is_refused_and_the_next_run_goes_on(fleet: Fleet) -> None:
    fleet.releases.cut = "/kubelet"
    text = fleet.refused()
    assert f"{fleet.releases.base}/kubelet" in text
    assert "Run again" in text
    assert not any("kubelet" in name for name in fleet.kept())
    fleet.releases.cut = ""
    assert fleet.run()["changed"]


def test_text_without_checksum_is_refused(fleet: Fleet) -> None:
    fleet.releases.files["/kubelet.sha256"] = b"<html>moved</html>"
    assert f"{fleet.releases.base}/kubelet.sha256" in fleet.refused()


def test_dead_server_is_named(fleet: Fleet) -> None:
    fleet.releases.shutdown()
    fleet.releases.server_close()
    text = fleet.refused()
    assert fleet.releases.base in text
    assert "does not answer" in text


def test_lock_with_builds_is_refused(fleet: Fleet) -> None:
    fleet.lock.write_text("binaries: {kubelet: {origin: build, version: '1', digest: 'sha256:x'}}\n")
    text = fleet.refused()
    for part in (str(fleet.lock), "kubelet", "artifacts_build_allowed", "group_vars/all.yml"):
        assert part in text
    assert fleet.releases.asked == []


def test_broken_lock_is_named(fleet: Fleet) -> None:
    fleet.lock.write_text("nonsense")
    assert str(fleet.lock) in fleet.refused()


CHILD = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest
from ansible_collections.opendata.platform.plugins.action.artifacts import Provider
arguments = json.loads(sys.argv[2])
Provider(arguments, Path(sys.argv[3]), print).provide(False)
"""


def test_killed_in_the_middle_leaves_nothing_half_made(fleet: Fleet) -> None:
    fleet.releases.slow = "/kubelet"
    tests = str(TESTS)
    command = [sys.executable, "-c", CHILD, tests, json.dumps(fleet.arguments()), str(fleet.home)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 30
        while not any(fleet.cache.glob("tmp/kubernetes-*/release-0")) and time.monotonic() < ends:
            time.sleep(0.02)
        assert any(fleet.cache.glob("tmp/kubernetes-*/release-0"))
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert not any("kubelet" in name for name in fleet.kept() if name.startswith("artifacts/"))
    fleet.releases.slow = ""
    assert fleet.run()["changed"]
    assert list(fleet.cache.glob("tmp/*")) == []
    assert not fleet.run()["changed"]


def test_second_run_at_once_waits_and_says_who_works(fleet: Fleet) -> None:
    provider = Provider(fleet.arguments(), fleet.home, fleet.said.append)
    with provider.store.held():
        other = threading.Thread(target=fleet.run)
        other.start()
        ends = time.monotonic() + 10
        while not fleet.said and time.monotonic() < ends:
            time.sleep(0.02)
    other.join(20)
    assert f"process {os.getpid()}" in fleet.said[0]
    assert "waiting" in fleet.said[0]
    assert not fleet.run()["changed"]
