# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_info without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., dict[str, Any]]
EXPECT = [{"name": "a", "id": 1}, {"name": "b", "id": 2}]


def test_what_to_trust_must_be_said(run: Run, tmp_path: Path) -> None:
    failed = run("cilium_clustermesh_info", kubeconfig=str(tmp_path / "none"), wait_for=["bundle"], ca_cert="x")
    words = "wait_for=bundle needs ca_bundle (the CAs to trust) and ca_cert (the one that signs)."
    assert failed["failed"] and failed["msg"] == words


def test_a_cluster_that_is_not_made_yet(run: Run, tmp_path: Path) -> None:
    wanted = {"kubeconfig": str(tmp_path / "none")}
    assert run("cilium_clustermesh_info", check=True, **wanted)["cluster"] == {}
    failed = run("cilium_clustermesh_info", **wanted)
    assert failed["failed"] and f"kubeconfig {tmp_path / 'none'} cannot be used" in failed["msg"]


def test_whom_to_expect_must_be_known(run: Run, tmp_path: Path) -> None:
    failed = run("cilium_clustermesh_info", kubeconfig=str(tmp_path / "none"), expect=[{"name": "b"}, EXPECT[0], {}])
    text = "expect: entry 1, 3 has no name and id; pass a record of this module, or both."
    assert failed["failed"] and failed["msg"] == text
    failed = run("cilium_clustermesh_info", kubeconfig=str(tmp_path / "none"), expect=EXPECT, gather=["reach"])
    assert failed["msg"] == "gather=reach needs records of this module in expect: one has no endpoint."
