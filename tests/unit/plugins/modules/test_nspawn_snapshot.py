# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A snapshot of two directories that look like stopped machines; supervisord does not run."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host, snapshot
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import Supervisor
from ansible_collections.opendata.platform.plugins.modules import nspawn_snapshot

MACHINES = {"a": "203.0.113.2", "b": "203.0.113.3"}
BLOB = "volumes/containerd/io.containerd.content.v1.content/blobs/sha256/1"
LAYER = "volumes/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/program"
DATABASE = "volumes/containerd/io.containerd.snapshotter.v1.overlayfs/metadata.db"
ETCD = "volumes/etcd/member/snap/db"


class Place:
    """The directories of one fleet: its machines, its state, the store of its snapshots."""

    def __init__(self, top: Path) -> None:
        self.machines, self.state, self.store = top / "odp/unit/machines", top / "unit/.state", top / "store"
        self.base = top / "base"
        self.base.mkdir()
        for name in MACHINES:
            files = {"base": f"{self.base}\n", "start": "exit 0\n", "root/etc/x": "", "work/x": "", "upper/etc/y": "y"}
            for path, text in {**files, BLOB: "blob", LAYER: "layer", DATABASE: "db", ETCD: "etcd"}.items():
                write(self.machines / name / path, text)
        (self.machines / "a/upper/etc/y").chmod(0o640)
        (self.machines / "a/upper/link").symlink_to("/nowhere")
        for path in ("kubeconfigs/north", "secret.key", "lock", "backups/north/1", "artifacts.lock.yml"):
            write(self.state / path, f"old {path}")

    def options(self, **other: Any) -> dict[str, Any]:
        own = {"fleet": "unit", "directory": "/srv/inv/unit", "name": "one", "network": "203.0.113.0/28"}
        places = {"store": str(self.store), "state_directory": str(self.state)}
        return {**own, **places, "machines": MACHINES, **other}

    def files(self) -> dict[str, Any]:
        """Content, mode and links of all files, without those that are made at each start."""
        return {
            str(path): (path.lstat().st_mode, os.readlink(path) if path.is_symlink() else path.read_text())
            for top in (self.machines, self.state)
            for path in sorted(top.rglob("*"))
            if (path.is_symlink() or path.is_file()) and path.relative_to(top).parts[1:2] not in (("root",), ("work",))
        }


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for module in (snapshot, host, nspawn_snapshot):
        monkeypatch.setattr(module, "STATE", tmp_path / "odp")
    nobody = Supervisor(tmp_path / "run", tmp_path / "log")
    monkeypatch.setattr(Supervisor, "of_fleet", classmethod(lambda cls, fleet: nobody))
    return Place(tmp_path)


def test_what_was_saved_comes_back(run, place: Place) -> None:
    before = place.files()
    saved = run("nspawn_snapshot", **place.options())
    assert saved["changed"]
    assert saved["path"] == str(place.store / "unit/one")
    assert place.files() == before
    (place.machines / "a" / ETCD).write_text("other")
    (place.machines / "a" / DATABASE).write_text("other")
    shutil.rmtree(place.machines / "b")
    write(place.machines / "a/upper/etc/new", "new")
    write(place.state / "kubeconfigs/north", "other")
    write(place.state / "kubeconfigs/south", "new")
    for _ in range(2):
        assert run("nspawn_snapshot", **place.options(state="restored"))["changed"]
        assert place.files() == before
        assert sorted(path.name for path in place.machines.parent.iterdir()) == ["machines"]


def test_machines_and_state_that_are_gone_come_back(run, place: Place) -> None:
    before = place.files()
    run("nspawn_snapshot", **place.options())
    shutil.rmtree(place.machines.parent)
    shutil.rmtree(place.state)
    run("nspawn_snapshot", **place.options(state="restored"))
    kept = {path for path in before if "backups" in path or path.endswith(("lock", "lock.yml"))}
    assert place.files() == {path: value for path, value in before.items() if path not in kept}
    assert place.state.stat().st_mode & 0o777 == 0o700


def test_what_belongs_to_the_user_is_not_taken_back(run, place: Place) -> None:
    run("nspawn_snapshot", **place.options())
    mine = [place.state / path for path in ("lock", "backups/north/1", "artifacts.lock.yml", "age.key")]
    for path in mine:
        write(path, "mine")
    run("nspawn_snapshot", **place.options(state="restored"))
    assert [path.read_text() for path in mine] == ["mine"] * 4


def test_only_what_is_written_once_is_shared(run, place: Place) -> None:
    path = Path(run("nspawn_snapshot", **place.options())["path"])
    live, kept = place.machines / "a", path / "machines/a"
    shared = {
        file: (live / file).stat().st_ino == (kept / file).stat().st_ino for file in (BLOB, LAYER, DATABASE, ETCD)
    }
    assert shared == {BLOB: True, LAYER: True, DATABASE: False, ETCD: False}
    assert not (kept / "root").exists()
    assert not (kept / "work").exists()
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("state", ["saved", "restored"])
def test_check_mode_changes_nothing(run, place: Place, state: str) -> None:
    if state == "restored":
        run("nspawn_snapshot", **place.options())
        (place.machines / "a" / ETCD).write_text("other")
    before = place.files(), sorted(place.store.rglob("*"))
    planned = run("nspawn_snapshot", check=True, **place.options(state=state))
    assert planned["changed"]
    assert planned["diff"]["after"] == f"machine a: {state}\nmachine b: {state}\n"
    assert (place.files(), sorted(place.store.rglob("*"))) == before


def test_a_copy_that_fails_is_no_snapshot(run, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*command: str) -> str:
        raise host.HostError(f"{command[0]} failed: no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "run", full)
        failed = run("nspawn_snapshot", **place.options())
    assert failed["msg"] == "snapshot one of fleet unit: cp failed: no space left on device"
    assert "there is no snapshot one" in run("nspawn_snapshot", **place.options(state="restored"))["msg"]
    assert run("nspawn_snapshot", **place.options())["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "it exists. Choose another name, or remove it first: ./odp snapshot remove one"),
        ({"name": "../x"}, "name: '../x' must be letters, digits, '.', '_' and '-'"),
        ({"state": "restored", "name": "two"}, "there is no snapshot two. Known: one."),
        ({"directory": "/srv/inv/other", "name": "two"}, "belongs to /srv/inv/unit. Run ./odp snapshot there."),
        ({"machines": {"c": "203.0.113.4"}, "name": "two"}, "there is no machine c on this host. Run ./odp up first."),
        (
            {"state": "restored", "machines": {"a": "203.0.113.9"}, "network": "203.0.113.0/24"},
            "machine a: 203.0.113.2 in the snapshot, 203.0.113.9 in the inventory.\n"
            "snapshot one of fleet unit: machine b: 203.0.113.3 in the snapshot, not there in the inventory.\n"
            "snapshot one of fleet unit: machine_nspawn_network: 203.0.113.0/28 in the snapshot, 203.0.113.0/24 in",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_first(run, place: Place, options: dict[str, Any], said: str) -> None:
    run("nspawn_snapshot", **place.options())
    record = {"directory": "/srv/inv/unit", "bridge": "odp-unit", "packages": [], "sysctls": {}}
    host.write_record("unit", record)
    before = place.files()
    refused = run("nspawn_snapshot", **place.options(**options))
    assert refused["failed"]
    assert said in refused["msg"]
    assert place.files() == before


def test_a_snapshot_whose_root_was_removed_is_refused(run, place: Place) -> None:
    run("nspawn_snapshot", **place.options())
    place.base.rmdir()
    refused = run("nspawn_snapshot", **place.options(state="restored"))
    assert refused["msg"].endswith(f"the root of its machines {place.base} is gone. Remove the snapshot.")


def test_a_snapshot_whose_unpacked_images_were_removed_is_refused(run, place: Place) -> None:
    write(place.machines / "a/images", f"{place.base}/gone\n")
    run("nspawn_snapshot", **place.options())
    refused = run("nspawn_snapshot", **place.options(state="restored"))
    assert refused["msg"].endswith(f"their images {place.base}/gone are gone. Remove the snapshot.")
