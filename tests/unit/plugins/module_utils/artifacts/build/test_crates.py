# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Programs from crates, compiled by a stand-in for cargo in a root of its own."""

import hashlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import JobError, Shell
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.recipes import (
    Workplace,
    build_crate,
    environment,
    install,
)

RECIPE = {
    "kind": "cargo",
    "crate": "tool",
    "release": "1.2.0",
    "sha256": hashlib.sha256(b"crate").hexdigest(),
    "features": ["one", "two"],
    "programs": ["tool"],
}
# Writes what it sees of the root, its arguments and its environment into the program.
CARGO = """#!/bin/sh
set -eu
case $1 in
  info)
    mkdir -p "$CARGO_HOME/registry/cache/index"
    printf crate >"$CARGO_HOME/registry/cache/index/tool-1.2.0.crate"
    ;;
  install)
    mkdir -p /mnt/installed/bin
    [ -e /etc/ssl/certs/. ] && [ -s /etc/resolv.conf ] && [ -e /proc/self/exe ] && [ ! -e /etc/passwd ]
    echo "$*; rustc=${RUSTC-} lto=$CARGO_PROFILE_RELEASE_LTO" >/mnt/installed/bin/tool
    ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    root = tmp_path / "rust/rootfs"
    for folder in ("mnt", "proc", "etc/ssl/certs", "usr/bin", "bin"):
        (root / folder).mkdir(parents=True)
    (root / "etc/resolv.conf").write_text("")
    (root / "usr/bin/cargo").write_text(CARGO)
    (root / "usr/bin/cargo").chmod(0o755)
    for program in ("sh", "mkdir"):
        path = shutil.which(program)
        assert path
        shutil.copy(path, root / "bin" / program)
        for word in subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout.split():
            if word.startswith("/"):
                (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, root / word[1:])
    for folder in ("work", "out"):
        (tmp_path / folder).mkdir()
    lock = os.open(tmp_path / "work", os.O_RDONLY)
    yield Workplace(
        name="tool",
        entry={"build": RECIPE},
        shell=Shell(tmp_path / "log/tool.log", threading.Event()),
        out=tmp_path / "out",
        work=tmp_path / "work",
        lock=lock,
        cache=tmp_path,
        collection=tmp_path,
        needs={"rust": tmp_path / "rust"},
    )
    os.close(lock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and change its root")
def test_crate_is_compiled_in_the_root_and_leaves_no_mount(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTC", "/home/me/rustc")
    build_crate(place)
    assert (place.out / "tool").read_text() == (
        "install tool --version 1.2.0 --locked --no-default-features --features=one,two --root /mnt/installed; "
        "rustc= lto=off\n"
    )
    root = place.needs["rust"] / "rootfs"
    assert not list((root / "mnt").iterdir())
    assert (root / "etc/resolv.conf").read_text() == ""
    assert str(root) not in Path("/proc/self/mounts").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and change its root")
def test_another_crate_is_refused_before_it_is_compiled(place: Workplace) -> None:
    place.entry["build"] = {**RECIPE, "sha256": "0" * 64}
    with pytest.raises(JobError) as failure:
        build_crate(place)
    text = str(failure.value)
    for part in ("tool-1.2.0.crate", RECIPE["sha256"], "recipe of tool says 0000", "correct the recipe"):
        assert part in text
    assert not (place.work / "installed").exists()


def test_a_recipe_may_set_variables_of_the_compiler() -> None:
    made = environment(
        {"environment": {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "3"}}, {"CARGO_HOME": "/x", "http_proxy": "p"}
    )
    assert made["CARGO_PROFILE_RELEASE_OPT_LEVEL"] == "3"
    assert made["CARGO_HOME"] == "/mnt/cargo"
    assert "http_proxy" not in made  # kept as it is


def test_no_feature_is_on_by_itself() -> None:
    command = install({"crate": "a", "release": "1.0.0"})
    assert command[-4:] == ["--no-default-features", "--features=", "--root", "/mnt/installed"]


def test_only_named_crates_are_left_unoptimized() -> None:
    command = install({"crate": "a", "release": "1.0.0", "unoptimized": ["b", "c"]})
    assert [word for word in command if "opt-level" in word] == [
        "profile.release.package.b.opt-level=0",
        "profile.release.package.c.opt-level=0",
    ]
    assert command.count("--config") == 2
