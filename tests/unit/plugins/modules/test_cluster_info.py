# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cluster_info without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubeconfigs
from api_server import free_port

Run = Callable[..., dict[str, Any]]


def test_a_cluster_that_is_not_made_yet(run: Run, tmp_path: Path) -> None:
    absent = tmp_path / "north"
    result = run("cluster_info", name="north", provider="kubeadm", kubeconfig=str(absent), nodes=["north-1"])
    assert result["cluster"] == {
        "name": "north",
        "provider": "kubeadm",
        "api": "",
        "kubernetes": "",
        "cilium": "",
        "nodes": 1,
        "nodes_ready": 0,
        "reason": f"not created yet (no kubeconfig at {absent})",
    }


def test_an_api_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    port = free_port()
    kubeconfig = kubeconfigs.write(tmp_path, kubeconfigs.config(f"https://127.0.0.1:{port}", {}))
    found = run("cluster_info", name="c", kubeconfig=kubeconfig)["cluster"]
    assert found["api"] == f"127.0.0.1:{port}"
    assert found["reason"].startswith(f"https://127.0.0.1:{port} does not answer: ")
    assert "Connection refused" in found["reason"]
