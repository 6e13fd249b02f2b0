# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Images of the real registry storage, unpacked by the real containerd on this host; no machine is started."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import images

from artifact_store import STORE, newest

REGISTRY = STORE.parent / "registry"
LAYERS = images.SHARED[1]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of the module for one image, in a cache of its own; this host has no machines."""
    monkeypatch.setattr(images, "STATE", tmp_path / "odp")
    return {
        "store": str(tmp_path / "cache/images"),
        "images": stored("pause"),
        "containerd": str(newest("*/ctr").parent),
        "registry": str(newest("*/docker-registry")),
        "storage": str(REGISTRY),
    }


def stored(name: str) -> dict[str, str]:
    """The newest tag of an image of registry.k8s.io in the storage, with its digest."""
    repository = f"registry.k8s.io/{name}"
    tags = REGISTRY / "docker/registry/v2/repositories" / repository / "_manifests/tags"
    links = sorted(tags.glob("*/current/link"), key=lambda path: path.stat().st_mtime)
    assert links, f"{tags} is empty"
    return {f"{repository}:{links[-1].parents[1].name}": links[-1].read_text().strip()}


def test_a_machine_finds_the_images_without_a_pull(
    run, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = run("nspawn_images", check=True, **options)
    assert planned["changed"]
    assert not (tmp_path / "cache").exists()
    first = run("nspawn_images", **options)
    assert (first["changed"], first["path"]) == (True, planned["path"])
    os.utime(first["path"], (0, 0))
    again = run("nspawn_images", **options)
    assert (again["changed"], again["path"]) == (False, first["path"])
    assert Path(first["path"]).stat().st_mtime > 0, "its use is recorded"

    containerd = tmp_path / "machine/containerd"
    monkeypatch.setattr(images, "INSIDE", first["path"])
    # The first was killed before the machine was recorded.
    for _ in range(2):
        images.share(Path(first["path"]), containerd)
    (name,) = options["images"]
    (tmp_path / "run").mkdir()
    with images._containerd(containerd, Path(options["containerd"], "containerd"), tmp_path / "run") as socket:
        ctr = [f"{options['containerd']}/ctr", "--address", str(socket), "--namespace", "k8s.io"]
        found = subprocess.run([*ctr, "images", "check"], capture_output=True, text=True, check=True).stdout
        assert found.splitlines()[1].split()[0] == name
        assert found.split()[-1] == "true", "unpacked"
        # What a machine removes is still there for the others.
        subprocess.run([*ctr, "images", "rm", "--sync", name], capture_output=True, check=True)
    assert not list((containerd / LAYERS).iterdir())
    assert [path.is_file() for path in (Path(first["path"]) / LAYERS).rglob("pause")] == [True]


def test_what_no_machine_and_no_snapshot_uses_is_removed(run, options: dict[str, Any], tmp_path: Path) -> None:
    paths = []
    users = ["elsewhere", "odp/fleet/machines/a", "cache/snapshots/fleet/one/machines/a", "elsewhere", "elsewhere"]
    sets = (["pause"], ["etcd"], ["etcd", "pause"], ["kube-scheduler"], ["kube-scheduler", "pause"])
    for user, names in zip(users, sets, strict=True):
        wanted = {key: value for name in names for key, value in stored(name).items()}
        paths.append(Path(run("nspawn_images", **{**options, "images": wanted})["path"]))
        (tmp_path / user).mkdir(parents=True, exist_ok=True)
        (tmp_path / user / "images").write_text(f"{paths[-1]}\n")
        if names != ["kube-scheduler"]:
            os.utime(paths[-1], (0, 0))
    # Nobody uses the fourth either, but it was made just now.
    assert [path.exists() for path in paths] == [False, True, True, True, True]


def test_an_image_that_the_registry_lacks_leaves_nothing_behind(run, options: dict[str, Any]) -> None:
    failed = run("nspawn_images", **{**options, "images": {"registry.k8s.io/absent:1": "sha256:0"}})
    assert failed["failed"]
    assert "registry.k8s.io/absent:1" in failed["msg"]
    assert [path.name for path in Path(options["store"]).iterdir()] == ["lock"]
    made = run("nspawn_images", **options)
    assert [path.name for path in Path(options["store"]).iterdir() if path.is_dir()] == [Path(made["path"]).name]
