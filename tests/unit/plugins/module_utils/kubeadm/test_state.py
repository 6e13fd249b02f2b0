# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What kubeadm left on a machine, and what is done about it."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as pure

KUBELET = "/etc/kubernetes/kubelet.conf"
DONE = pure.Found(record={"files": {"/a": "1"}, "manifests": {"etcd": "x"}}, traces=(KUBELET,), files={"/a": "1"})


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (pure.Found(), "absent"),
        (pure.Found(traces=("/etc/kubernetes/pki/ca.crt",)), "interrupted"),
        (pure.Found(etcd=True), "interrupted"),
        (pure.Found(traces=(KUBELET,)), "interrupted"),
        (pure.Found(record={}), "absent"),
        (DONE, "done"),
    ],
)
def test_state(found: pure.Found, state: str) -> None:
    assert pure.state(found) == state


@pytest.mark.parametrize(
    ("found", "server", "reset"),
    [
        (pure.Found(), True, False),
        (pure.Found(traces=("/etc/kubernetes/pki/ca.crt",)), True, True),
        (pure.Found(traces=(KUBELET,), etcd=True), True, False),
        (pure.Found(traces=(KUBELET,)), False, True),
        (pure.Found(traces=(KUBELET,), identity=True), False, False),
        (DONE, True, False),
    ],
)
def test_data_of_etcd_are_never_reset(found: pure.Found, server: bool, reset: bool) -> None:
    assert pure.must_reset(found, server) is reset


def test_an_agent_with_a_certificate_is_complete() -> None:
    found = pure.Found(traces=(KUBELET,), identity=True)
    assert pure.is_complete(found, control_plane=False) and not pure.is_complete(found, control_plane=True)


def test_what_was_altered() -> None:
    assert pure.altered_manifests(DONE) == {"etcd": "x"}
    assert pure.changed_files(DONE) == []
    assert pure.changed_files(pure.Found(record=DONE.record, traces=DONE.traces, files={"/a": "2", "/b": "3"})) == [
        "/a",
        "/b",
    ]


@pytest.mark.parametrize("days", [30, 3650, 12000])
def test_end_of_a_certificate(days: int, tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=x", "-days", str(days), "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    end = pure.not_after((tmp_path / "crt").read_text())
    assert end is not None
    assert abs(end - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)


def test_no_certificate() -> None:
    assert pure.not_after("nothing") is None
