# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubeconfigs

Run = Callable[..., dict[str, Any]]
SOUTH = {"name": "south", "id": 2, "endpoint": {"ips": ["192.0.2.2"], "port": 32379}}


def test_an_api_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    kubeconfig = kubeconfigs.write(tmp_path, kubeconfigs.config("https://127.0.0.1:1", {}))
    result = run("cilium_clustermesh", kubeconfig=kubeconfig, peers=[SOUTH])
    assert result["msg"].startswith("https://127.0.0.1:1 does not answer: ")
