# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Builds with real commands: order, logs, failures, what a killed run leaves, images in a registry's storage."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.action.artifacts import Provider
from ansible_collections.opendata.platform.plugins.module_utils.artifacts import make
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build import images
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import (
    Job,
    JobError,
    Shell,
    explain,
    run_jobs,
)
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.recipes import Workplace, binary_name
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.registry import stored_digest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.store import Store

from repository import TESTS

pytestmark = pytest.mark.skipif(not shutil.which("setpriv"), reason="builds run on Linux with util-linux only")


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def running(command: bytes) -> list[str]:
    """Return the processes with a command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().rstrip(b"\0") == command and alive(int(path.parent.name)):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def wait_until(condition: object, seconds: float = 20) -> bool:
    """Return whether a condition (a callable) comes true in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


# Jobs


def test_failing_job_stops_the_others_and_shows_the_end_of_its_log(tmp_path: Path) -> None:
    long = f"63.{os.getpid()}"
    name = f"sleep\0{long}".encode()

    def fail(shell: Shell) -> None:
        assert wait_until(lambda: running(name))
        shell.run(["sh", "-c", "for n in $(seq 30); do echo line $n; done; exit 3"])

    jobs = [
        Job("long", lambda shell: shell.run(["sh", "-c", f"sleep {long} & wait"])),
        Job("bad", fail, label="build bad 1.0"),
        Job("later", lambda shell: shell.run(["touch", str(tmp_path / "never")]), needs=["bad"]),
    ]
    began = time.monotonic()
    with pytest.raises(JobError) as failure:
        run_jobs(jobs, tmp_path / "log", 2, lambda _line: None)
    text = str(failure.value)
    for part in (
        "build bad 1.0 failed",
        "'sh' exited with 3",
        "line 30",
        "line 11",
        f"{tmp_path}/log/bad.log",
        "run again",
    ):
        assert part in text
    assert "line 10\n" not in text
    assert time.monotonic() - began < 30
    assert not (tmp_path / "never").exists()
    assert wait_until(lambda: not running(name))


def test_progress_is_said_at_start_end_and_between(tmp_path: Path) -> None:
    said: list[str] = []
    jobs = [
        Job("one", lambda shell: shell.run(["sleep", "0.6"]), label="build one"),
        Job("two", lambda _shell: None, needs=["one"]),
    ]
    took = run_jobs(jobs, tmp_path, 2, said.append, every=0.2)
    assert set(took) == {"one", "two"}
    assert took["one"] >= 0.6
    assert said[0] == "artifacts: build one (1 of 2)"
    assert any(line.startswith("artifacts: one 0 s (0 of 2 done") for line in said)
    assert said[-1].startswith("artifacts: two: done in")
    assert (tmp_path / "one.log").read_text() == "$ sleep 0.6\n"


def test_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    log = tmp_path / "log/x.log"
    text = explain("build x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), log)
    assert "The disk is full: free space below" in text
    assert str(tmp_path) in text
    log.parent.mkdir()
    log.write_text("link: write /x: No space left on device\n")
    assert "The disk is full" in explain("build x", JobError("'go' exited with 1"), log)
    log.write_text("undefined: x\n")
    assert "The disk is full" not in explain("build x", JobError("'go' exited with 1"), log)


# Store

HOLDER = """
import fcntl, sys, time
fcntl.flock(int(sys.argv[1]), fcntl.LOCK_SH)
print("held", flush=True)
time.sleep(60)
"""


def test_sweep_spares_what_a_living_process_holds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dead = store.temporary / "dead-1"
    dead.mkdir(parents=True)
    with store.workspace("held") as (path, lock):
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
        try:
            copy = path.with_name("orphan-1")
            copy.mkdir()
            orphan = os.open(copy, os.O_RDONLY)
            other = subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(orphan)],
                pass_fds=(orphan,),
                stdout=subprocess.PIPE,
            )
            os.close(orphan)
            assert other.stdout
            other.stdout.readline()
            store.sweep()
            assert path.exists()
            assert copy.exists()
            assert not dead.exists()
            other.kill()
            other.wait()
            other.stdout.close()
            store.sweep()
            assert not copy.exists()
        finally:
            child.kill()
            child.wait()
    assert not path.exists()


def test_tree_counts_as_altered_when_a_file_of_it_is(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "ab" * 32
    made = tmp_path / "made"
    (made / "etc").mkdir(parents=True)
    (made / "etc/os-release").write_text("one")
    (made / "link").symlink_to("/nowhere")
    store.keep(made, "root", key, True, {"origin": "build"})
    assert store.manifest("root", key, True)
    (store.path("root", key, True) / "etc/os-release").write_text("two!")
    assert store.manifest("root", key, True) is None


# Builds


class Shop:
    """A collection with one source, built by a small builder of the test; counts what it makes."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.said, self.script = home, [], "cp {source}/main.txt {out}/tool"
        (home / "toolchain/tool").mkdir(parents=True)
        (home / "toolchain/tool/main.txt").write_text("one")
        (home / "x/.state").mkdir(parents=True)
        monkeypatch.setitem(make.BUILDERS, "test", self.build)
        monkeypatch.setattr(
            "ansible_collections.opendata.platform.plugins.action.artifacts.end_with_parent", lambda: None
        )
        self.table = {
            "tool": {"version": "1", "binaries": ["tool"], "build": {"kind": "test", "source": "toolchain/tool"}},
        }

    def build(self, place: Workplace) -> None:
        """Run the script of the test in place of a compiler."""
        source = self.home / place.recipe["source"]
        place.run("sh", "-c", self.script.format(source=source, out=place.out))

    def arguments(self) -> dict:
        return {
            "source": "build",
            "build_allowed": True,
            "table": self.table,
            "registries": {},
            "unwanted": [],
            "jobs": 2,
            "state": str(self.home / "x/.state"),
            "cache": str(self.home / "cache"),
        }

    def run(self, check: bool = False) -> dict:
        return Provider(self.arguments(), self.home, self.said.append).provide(check)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def test_build_is_kept_by_its_sources(shop: Shop) -> None:
    first = shop.run()
    assert first["made"].keys() == {"tool"}
    assert first["artifacts"]["binaries"]["tool"]["origin"] == "build"
    assert not shop.run()["changed"]
    (shop.home / "toolchain/tool/main.txt").write_text("two")
    second = shop.run()
    assert second["changed"]
    assert second["artifacts"]["binaries"]["tool"]["path"] != first["artifacts"]["binaries"]["tool"]["path"]
    (shop.home / "toolchain/tool/main.txt").write_text("one")
    third = shop.run()
    assert third["made"] == {}
    assert third["artifacts"] == first["artifacts"]


def test_source_may_be_one_file(shop: Shop) -> None:
    shop.script = "cp {source} {out}/tool"
    shop.table["tool"]["build"]["source"] = "toolchain/tool/main.txt"
    first = shop.run()["artifacts"]["binaries"]["tool"]
    (shop.home / "toolchain/tool/other.txt").write_text("of no interest")
    assert not shop.run()["changed"]
    (shop.home / "toolchain/tool/main.txt").write_text("two")
    assert shop.run()["artifacts"]["binaries"]["tool"]["path"] != first["path"]


def test_what_python_compiled_is_no_source(shop: Shop) -> None:
    shop.run()
    (shop.home / "toolchain/tool/__pycache__").mkdir()
    (shop.home / "toolchain/tool/__pycache__/main.cpython-313.pyc").write_bytes(b"compiled")
    assert not shop.run()["changed"]


def test_failed_build_leaves_nothing_and_the_next_run_goes_on(shop: Shop) -> None:
    shop.script = "touch {out}/tool; echo compiler says no; exit 1"
    with pytest.raises(JobError, match="compiler says no"):
        shop.run()
    assert not list((shop.home / "cache").glob("artifacts/*"))
    assert not list((shop.home / "cache/tmp").iterdir())
    assert not (shop.home / "x/.state/artifacts.lock.yml").exists()
    shop.script = "cp {source}/main.txt {out}/tool"
    assert shop.run()["changed"]


def test_check_mode_builds_nothing(shop: Shop) -> None:
    found = shop.run(check=True)
    assert found["changed"]
    assert found["artifacts"]["binaries"]["tool"]["sha256"] == ""
    assert not (shop.home / "cache").exists()


def test_version_that_the_module_does_not_pin_is_refused_before_any_build(shop: Shop) -> None:
    (shop.home / "toolchain/tool/go.mod").write_text("require example.org/tool v1.1.0\n")
    shop.table["tool"]["build"]["module"] = "example.org/tool"
    with pytest.raises(JobError, match=r"toolchain/tool/go\.mod pins example\.org/tool v1\.1\.0"):
        shop.run()
    assert not (shop.home / "cache").exists()


CHILD = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest
from ansible_collections.opendata.platform.plugins.action.artifacts import Provider
from ansible_collections.opendata.platform.plugins.module_utils.artifacts import make
make.BUILDERS["test"] = lambda place: place.run("sh", "-c", sys.argv[4])
Provider(json.loads(sys.argv[2]), Path(sys.argv[3]), print).provide(False)
"""


def test_build_ends_with_a_killed_run_and_the_next_run_goes_on(shop: Shop) -> None:
    tests = str(TESTS)
    # Numbers that no other process has; only root's commands take those with them that left their session.
    direct, away = f"61.{os.getpid()}", f"62.{os.getpid()}"
    script = f"setsid sleep {away} & exec sleep {direct}" if os.geteuid() == 0 else f"exec sleep {direct}"
    command = [sys.executable, "-c", CHILD, tests, json.dumps(shop.arguments()), str(shop.home), script]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    names = [f"sleep\0{direct}".encode()] + ([f"sleep\0{away}".encode()] if os.geteuid() == 0 else [])
    try:
        assert wait_until(lambda: all(running(name) for name in names))
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert wait_until(lambda: not any(running(name) for name in names))
    assert list((shop.home / "cache/tmp").iterdir())
    assert shop.run()["changed"]
    assert not list((shop.home / "cache/tmp").iterdir())
    assert not shop.run()["changed"]


# Images and programs


def put_image(storage: Path, image: str, tag: str) -> str:
    """Write an image with one layer into a registry's storage and return its digest."""
    base = storage / "docker/registry/v2"

    def blob(content: bytes) -> dict:
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        path = base / "blobs/sha256" / digest[:2] / digest / "data"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    manifest = json.dumps({"config": blob(b"{}"), "layers": [blob(b"layer")]}).encode()
    link = base / "repositories" / image / "_manifests/tags" / tag / "current/link"
    link.parent.mkdir(parents=True)
    link.write_text(blob(manifest)["digest"])
    return link.read_text()


def test_image_counts_only_with_all_its_layers(tmp_path: Path) -> None:
    assert stored_digest(tmp_path, "registry.example.org/a/b:1") == ""
    digest = put_image(tmp_path, "registry.example.org/a/b", "1")
    assert stored_digest(tmp_path, "registry.example.org/a/b:1") == digest
    layer = next(path for path in tmp_path.rglob("data") if path.read_bytes() == b"layer")
    layer.write_bytes(b"lay")
    assert stored_digest(tmp_path, "registry.example.org/a/b:1") == ""
    layer.unlink()
    assert stored_digest(tmp_path, "registry.example.org/a/b:1") == ""


def test_image_that_left_the_registry_is_built_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = shop.home / "cache/registry"
    built: list[str] = []

    def build_image(place: Workplace, _address: str) -> None:
        built.append(place.name)
        shutil.rmtree(storage, ignore_errors=True)
        place.facts["digest"] = put_image(storage, "example.org/a", "1")

    monkeypatch.setattr(images, "build_image", build_image)
    monkeypatch.setattr(make.Maker, "_push_address", lambda _maker: "127.0.0.1:1")
    shop.table = {
        "image": {"version": "1", "image": "example.org/a:1", "build": {"kind": "image", "source": "toolchain/tool"}}
    }
    found = shop.run()
    assert found["artifacts"]["images"]["example.org/a:1"]["digest"] == stored_digest(storage, "example.org/a:1")
    assert not shop.run()["changed"]
    next(storage.rglob("data")).unlink()
    assert shop.run()["changed"]
    assert built == ["image", "image"]


def test_missing_programs_are_named_without_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PROGRAMS", {"image": {"no-such-program": "some-package", "sh": "dash"}})
    missing = images.missing_programs({"image", "go"})
    assert missing == {"no-such-program": "some-package"}
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(JobError, match=r"no-such-program is not installed.*install some-package and run again"):
        images.install_programs(missing)


@pytest.mark.parametrize(
    ("package", "source", "name"),
    [
        ("k8s.io/kubernetes/cmd/kubelet", "", "kubelet"),
        ("go.etcd.io/etcd/server/v3", "", "server"),
        (".", "toolchain/coredns", "coredns"),
    ],
)
def test_go_names_programs_by_their_package(package: str, source: str, name: str) -> None:
    assert binary_name(package, source) == name


def test_jobs_of_one_group_never_run_at_once(tmp_path: Path) -> None:
    busy = threading.Lock()

    def compile_alone(_shell: Shell) -> None:
        assert busy.acquire(blocking=False)
        time.sleep(0.05)
        busy.release()

    jobs = [Job(f"go{number}", compile_alone, group="go") for number in range(4)]
    assert len(run_jobs(jobs, tmp_path, 4, lambda _line: None)) == 4
