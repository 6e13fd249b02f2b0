# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_adoption without a cluster; tests/integration has one."""

from collections.abc import Callable
from typing import Any

Run = Callable[..., dict[str, Any]]
OURS = {"kubeProxyReplacement": True, "cluster": {"name": "aws", "id": 1}}


def test_a_cluster_that_is_not_made_yet(run: Run) -> None:
    wanted = {"name": "aws", "chart_version": "1.20.2", "values": OURS, "kubeconfig": "/does/not/exist"}
    assert run("cilium_adoption", check=True, **wanted)["adopts"] is False
