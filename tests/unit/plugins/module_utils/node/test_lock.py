# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The lock of what works on a machine's Kubernetes."""

import os
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_io, "LOCK_SECONDS", 1)
    first = file_io.hold(tmp_path / "run/kubeadm.lock", "kubeadm")
    with pytest.raises(file_io.NodeFileError) as refused:
        file_io.hold(tmp_path / "run/kubeadm.lock", "kubeadm")
    assert str(refused.value) == "A kubeadm of an earlier run is still running after 1 s. See: ps -C kubeadm"
    os.close(first)
    os.close(file_io.hold(tmp_path / "run/kubeadm.lock", "kubeadm"))
