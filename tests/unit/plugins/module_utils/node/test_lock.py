# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The lock of what works on a machine's Kubernetes."""

import os
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import lock as node_lock


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_lock, "SECONDS", 1)
    first = node_lock.hold(tmp_path / "run/kubeadm.lock", "kubeadm")
    with pytest.raises(node_lock.LockError) as refused:
        node_lock.hold(tmp_path / "run/kubeadm.lock", "kubeadm")
    assert str(refused.value) == "A kubeadm of an earlier run still runs after 1 s. See: ps -C kubeadm"
    os.close(first)
    os.close(node_lock.hold(tmp_path / "run/kubeadm.lock", "kubeadm"))
