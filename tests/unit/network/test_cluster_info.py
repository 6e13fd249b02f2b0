# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cluster_info: reasons in words, from no kubeconfig to a real API server without nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from api_server import ApiServer, free_port

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
        "reason": f"not made yet (no kubeconfig at {absent})",
    }


def test_an_api_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    port = free_port()
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}]}
    config["clusters"] = [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}]
    config["contexts"] = [{"name": "c", "context": {"cluster": "c", "user": "u"}}]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    found = run("cluster_info", name="c", kubeconfig=str(tmp_path / "config"))["cluster"]
    assert found["api"] == f"127.0.0.1:{port}"
    assert found["reason"].startswith(f"https://127.0.0.1:{port} does not answer: ")
    assert "Connection refused" in found["reason"]


def test_an_empty_cluster(run: Run, server: ApiServer) -> None:
    wanted = {"name": "c", "kubeconfig": str(server.kubeconfig), "nodes": ["c-1"]}
    found = run("cluster_info", **wanted)["cluster"]
    assert found["kubernetes"].startswith("v1.") and (found["nodes"], found["nodes_ready"]) == (1, 0)
    assert found["reason"] == ("node c-1 has not joined; Cilium is not installed; Cilium's operator is not installed")
    failed = run("cluster_info", **wanted, wait=True, wait_timeout=1, fail_when_unwell=True)
    assert failed["failed"] and failed["msg"].startswith("c is not well: node c-1 has not joined")
    assert "failed" not in run("cluster_info", check=True, **wanted, fail_when_unwell=True)
