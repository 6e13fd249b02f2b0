# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module flux_ready where Flux is not installed: its own file, because another's CRDs would be served meanwhile."""

import time
from collections.abc import Callable
from typing import Any

from api_server import ApiServer
from flux_objects import NEW


def test_a_cluster_without_flux(run: Callable[..., dict[str, Any]], server: ApiServer) -> None:
    start, wanted = time.monotonic(), {"kubeconfig": str(server.kubeconfig)}
    result = run("flux_ready", **wanted, revision=NEW, wait_timeout=60)
    assert time.monotonic() - start < 20
    assert result["msg"].splitlines()[1:-1] == [
        "Source flux-system/platform: the cluster serves no Kustomizations, Flux is not installed"
    ]
    result = run("flux_ready", **wanted, wait_timeout=60)
    assert "failed" not in result and result["services"] == []
