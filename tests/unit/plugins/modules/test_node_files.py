# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module node_files against a real HTTP server, a real small disk and a stand-in for systemctl."""

import functools
import hashlib
import http.server
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import download as download_client
from ansible_collections.opendata.platform.plugins.module_utils.node import systemd as units_client

Run = Callable[..., dict[str, Any]]
BINARY = os.urandom(3 << 20)
SHA256 = hashlib.sha256(BINARY).hexdigest()
UNIT = [{"name": "x.service"}]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a directory and counts."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """URL of a server of two files: the binary, and an archive that holds it twice."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "binary").write_bytes(BINARY)
    with tarfile.open(folder / "archive.tgz", "w:gz") as archive:
        for name in ("bin/one", "bin/two"):
            member = tarfile.TarInfo(name)
            member.size = len(BINARY)
            archive.addfile(member, io.BytesIO(BINARY))
    Quiet.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for systemctl that keeps a unit's state in files; the path of its log."""
    folder = tmp_path / "systemd"
    folder.mkdir()
    script = folder / "systemctl"
    script.write_text(f"""#!/bin/sh
cd {folder}
for name; do unit=$name; done
case $1 in
show)
  [ -e active ] && active=active || active=inactive
  [ -e enabled ] && enabled=enabled || enabled=disabled
  printf 'ActiveState=%s\\nUnitFileState=%s\\n' $active $enabled; exit;;
enable) touch enabled;;
start | restart) [ -e broken ] && {{ echo "Job failed" >&2; exit 1; }}; touch active;;
esac
echo "$@" >> log
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(units_client, "RESTARTS", tmp_path / "restarts")
    monkeypatch.setattr(units_client, "SYSTEMD", folder)
    return folder / "log"


def text(path: Path, content: str = "a\nb\n", **more: Any) -> dict[str, Any]:
    return {"path": str(path), "content": content, **more}


def download(path: Path, url: str, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "url": url, "sha256": SHA256, **more}


def restart(path: Path, **more: Any) -> list[dict[str, Any]]:
    return [{"unit": "x.service", "on": [str(path)], **more}]


def calls(log: Path) -> list[str]:
    """What systemctl was told since the last look."""
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def test_text_is_written_once_and_mended(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "new/folder/file"
    first = run("node_files", files=[text(path, mode="0640")])
    assert first["changed"] and first["changed_paths"] == [str(path)]
    assert path.read_text() == "a\nb\n" and path.stat().st_mode & 0o777 == 0o640
    assert run("node_files", files=[text(path, mode="0640")])["changed"] is False
    path.write_text("altered")
    mended = run("node_files", files=[text(path, mode="0640")])
    assert mended["diff"][0]["before"] == "altered" and mended["diff"][0]["after"] == "a\nb\n"
    assert path.read_text() == "a\nb\n"
    path.chmod(0o777)
    assert run("node_files", files=[text(path, mode="0640")])["changed_paths"] == [str(path)]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced_and_its_target_left(tmp_path: Path, run: Run) -> None:
    target, path = tmp_path / "target", tmp_path / "link"
    target.write_text("a\nb\n")
    path.symlink_to(target)
    assert run("node_files", files=[text(path)])["changed"]
    assert not path.is_symlink() and target.read_text() == "a\nb\n"


def test_a_folder_in_the_way_is_refused(tmp_path: Path, run: Run) -> None:
    result = run("node_files", files=[text(tmp_path)])
    assert result["failed"] and f"{tmp_path} is a directory, but must be a file" in result["msg"]


def test_check_mode_and_planned_write_nothing(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    assert run("node_files", check=True, files=[text(path)])["diff"][0]["before"] == "old"
    planned = run("node_files", planned=True, files=[text(path)], units=UNIT)
    assert planned["diff"][0]["before"] == "" and planned["units"] == {"x.service": ["enable", "start"]}
    assert path.read_text() == "old"


def test_secrets_are_private_and_not_shown(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "secret"
    result = run("node_files", secrets={str(path): "swordfish-one"})
    assert path.read_text() == "swordfish-one" and path.stat().st_mode & 0o777 == 0o600
    path.write_text("swordfish-two")
    again = run("node_files", secrets={str(path): "swordfish-one"})
    assert again["changed"] and "sha256:" in again["diff"][0]["before"]
    assert "swordfish" not in str([result, again])


def test_absent(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "file"
    path.touch()
    assert run("node_files", absent=[str(path)])["changed_paths"] == [str(path)]
    assert not path.exists()
    assert run("node_files", absent=[str(path)])["changed"] is False


def test_download_and_archive_are_fetched_once(tmp_path: Path, server: str, run: Run) -> None:
    one, two, plain = (str(tmp_path / name) for name in ("one", "two", "plain"))
    files = [{"path": plain, "url": f"{server}/binary", "sha256": SHA256, "mode": "0755"}]
    files += [
        {"path": path, "url": f"{server}/archive.tgz", "sha256": SHA256, "member": f"bin/{Path(path).name}"}
        for path in (one, two)
    ]
    result = run("node_files", files=files)
    assert sorted(result["changed_paths"]) == sorted([one, two, plain])
    assert all(Path(path).read_bytes() == BINARY for path in (one, two, plain))
    assert sorted(Quiet.asked) == ["/archive.tgz", "/binary"]
    assert run("node_files", files=files)["changed"] is False
    assert len(Quiet.asked) == 2


@pytest.mark.parametrize(
    ("url", "sha256", "member", "words"),
    [
        ("binary", "0" * 64, "", f"has sha256 {SHA256}, expected {'0' * 64}"),
        ("absent", SHA256, "", "the server answers 404"),
        ("archive.tgz", SHA256, "bin/three", "has no member bin/three"),
        ("binary", SHA256, "bin/one", "has no member bin/one"),
    ],
    ids=["another digest", "not there", "no such member", "no archive"],
)
def test_a_bad_download_leaves_what_was_there(
    tmp_path: Path, server: str, run: Run, url: str, sha256: str, member: str, words: str
) -> None:
    path = tmp_path / "there/binary"
    path.parent.mkdir()
    path.write_text("old")
    file = {"path": str(path), "url": f"{server}/{url}", "sha256": sha256, "member": member}
    result = run("node_files", files=[file])
    assert result["failed"] and words in result["msg"]
    assert path.read_text() == "old" and os.listdir(path.parent) == ["binary"]


def test_a_dead_network_is_said(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_client, "ATTEMPTS", 2)
    result = run("node_files", files=[{"path": str(tmp_path / "x"), "url": "http://127.0.0.1:9/x", "sha256": SHA256}])
    assert result["failed"] and "http://127.0.0.1:9/x: 2 downloads failed" in result["msg"]
    assert not (tmp_path / "x").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "odp-test", str(folder)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


def test_a_full_disk_is_said_and_leaves_nothing(small_disk: Path, server: str, run: Run) -> None:
    for file in (text(small_disk / "x", "a" * len(BINARY)), download(small_disk / "x", f"{server}/binary")):
        result = run("node_files", files=[file])
        assert result["failed"] and f"{small_disk}/x: cannot be written: No space left on device" in result["msg"]
        assert os.listdir(small_disk) == []


def test_all_faults_of_the_description_at_once(run: Run) -> None:
    files = [{"path": "/a"}, {"path": "/b", "url": "http://x/b"}, text(Path("/c")), text(Path("/c"))]
    message = run("node_files", files=files, absent=["/a"])["msg"]
    for part in (
        "/a: needs either",
        "/b: url needs the sha256",
        "/c: described more than once",
        "/a: described in files",
    ):
        assert part in message


def test_units_are_enabled_and_started_once(systemd: Path, run: Run) -> None:
    assert run("node_files", check=True, units=UNIT)["units"] == {"x.service": ["enable", "start"]}
    assert calls(systemd) == []
    assert run("node_files", units=UNIT)["units"] == {"x.service": ["enable", "start"]}
    assert calls(systemd) == ["daemon-reload", "enable x.service", "start x.service"]
    assert run("node_files", units=UNIT)["changed"] is False
    (systemd.parent / "active").unlink()
    assert run("node_files", units=UNIT)["units"] == {"x.service": ["start"]}


def test_a_unit_waits_for_what_it_needs(tmp_path: Path, systemd: Path, run: Run) -> None:
    waiting = [{"name": "x.service", "when_exists": str(tmp_path / "needed")}]
    assert run("node_files", units=waiting)["units"] == {"x.service": ["enable"]}
    assert run("node_files", units=waiting)["changed"] is False
    (tmp_path / "needed").touch()
    assert run("node_files", units=waiting)["units"] == {"x.service": ["start"]}


def test_a_unit_restarts_once_with_its_file(tmp_path: Path, systemd: Path, run: Run) -> None:
    path = tmp_path / "config"
    first = run("node_files", files=[text(path)], restarts=restart(path))
    assert first["restarted"] == [] and calls(systemd) == []
    (systemd.parent / "active").touch()
    path.write_text("altered")
    foreseen = run("node_files", check=True, files=[text(path)], restarts=restart(path))
    assert foreseen["restarted"] == ["x.service"] and calls(systemd) == []
    assert run("node_files", files=[text(path)], restarts=restart(path))["restarted"] == ["x.service"]
    assert calls(systemd) == ["daemon-reload", "restart x.service"]
    assert run("node_files", files=[text(path)], restarts=restart(path))["changed"] is False


def test_a_restart_that_failed_or_was_killed_is_made_up_for(tmp_path: Path, systemd: Path, run: Run) -> None:
    path = tmp_path / "config"
    (systemd.parent / "active").touch()
    (systemd.parent / "broken").touch()
    result = run("node_files", files=[text(path)], restarts=restart(path))
    assert result["failed"] and "systemctl restart x.service: Job failed" in result["msg"]
    (systemd.parent / "broken").unlink()
    assert run("node_files", files=[text(path)], restarts=restart(path))["restarted"] == ["x.service"]
    assert run("node_files", files=[text(path)], restarts=restart(path))["changed"] is False


def test_a_oneshot_runs_only_when_its_file_changes(tmp_path: Path, systemd: Path, run: Run) -> None:
    path = tmp_path / "config"
    run("node_files", files=[text(path)], restarts=restart(path, oneshot=True))
    assert calls(systemd) == ["daemon-reload", "restart --no-block x.service"]
    assert run("node_files", files=[text(path)], restarts=restart(path, oneshot=True))["changed"] is False
