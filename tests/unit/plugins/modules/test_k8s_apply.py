# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module k8s_apply without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., dict[str, Any]]
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": "x"}}


def test_without_a_cluster_everything_is_planned(run: Run, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    result = run("k8s_apply", check=True, kubeconfig=absent, manifests=[CONFIG_MAP])
    assert result["counts"]["created"] == 1
    refused = run("k8s_apply", kubeconfig=absent, manifests=[CONFIG_MAP])
    assert absent in refused["msg"]


def test_a_file_that_is_no_yaml_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("a: [")
    absent = tmp_path / "absent.yml"
    refused = run("k8s_apply", kubeconfig="/none", files=[str(tmp_path / "bad.yml"), str(absent)])
    assert "bad.yml cannot be read" in refused["msg"] and "absent.yml cannot be read" in refused["msg"]
