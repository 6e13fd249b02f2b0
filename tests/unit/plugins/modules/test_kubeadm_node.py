# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module kubeadm_node against a tree that stands in for the machine; kubeadm itself does not run."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import cli

Run = Callable[..., dict[str, Any]]
CONFIG, TEXT = "etc/kubernetes/kubeadm.yaml", "kind: ClusterConfiguration\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose control plane was generated from TEXT, and whose file was altered since."""
    record = {"files": {f"/{CONFIG}": hashlib.sha256(TEXT.encode()).hexdigest()}, "manifests": {}, "version": "v1.36.3"}
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/opendata-platform.json").write_text(json.dumps(record))
    (tmp_path / "etc/kubernetes/kubelet.conf").touch()
    (tmp_path / CONFIG).write_text("altered")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    # The end of the module's process releases it, and here all runs are one process.
    monkeypatch.setattr(cli, "lock", lambda: 0)
    return tmp_path


def test_files_are_repaired_before_kubeadm_s_state_is_inspected(root: Path, run: Run) -> None:
    options = {"control_plane": True, "files": [{"path": str(root / CONFIG), "content": TEXT}]}
    planned = run("kubeadm_node", check=True, **options)
    assert planned["changed"] and not planned["applied"] and (root / CONFIG).read_text() == "altered"
    assert [each["after"] for each in planned["diff"]] == [TEXT]
    repaired = run("kubeadm_node", **options)
    assert repaired["changed"] and repaired["applied"] and (root / CONFIG).read_text() == TEXT
    assert run("kubeadm_node", **options)["changed"] is False


def test_contradicting_files_are_refused(root: Path, run: Run) -> None:
    path = str(root / CONFIG)
    refused = run("kubeadm_node", files=[{"path": path, "content": TEXT}], secrets={path: "x"})
    assert refused["failed"] and f"{path}: described more than once" in refused["msg"]
