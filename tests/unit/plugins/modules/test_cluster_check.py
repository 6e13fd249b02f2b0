# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cluster_check without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubeconfigs
from api_server import free_port

Run = Callable[..., dict[str, Any]]
WANTED = {"name": "aws", "cilium_version": "1.20.2", "pod_cidr": "10.244.0.0/16", "service_cidr": "10.250.0.0/24"}


def test_an_api_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    path = kubeconfigs.write(tmp_path, kubeconfigs.config(server, {}))
    result = run("cluster_check", kubeconfig=path, **WANTED)
    assert result["msg"].startswith(f"aws: {server} does not answer: ")
    assert result["msg"].endswith(
        f"({path}). Check that this machine can reach it (VPN, allowed addresses) and that the credentials are valid."
    )


def test_a_kubeconfig_that_is_none(run: Run, tmp_path: Path) -> None:
    step = "Set cluster_existing_kubeconfig to a kubeconfig, and cluster_existing_context to one of its contexts."
    path = tmp_path / "kubeconfig"
    for check_mode in (False, True):
        absent = run("cluster_check", check=check_mode, kubeconfig=str(path), **WANTED)
        assert absent["msg"] == f"aws: {path} cannot be read: No such file or directory. {step}"
    path.write_text("contexts: [{name: one, context: {}}]\n")
    assert run("cluster_check", kubeconfig=str(path), context="two", **WANTED)["msg"] == (
        f"aws: {path} has no context 'two'. Known: one. {step}"
    )
