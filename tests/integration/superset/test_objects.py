# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real API server accepts what role superset renders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api_server import ApiServer
from superset_objects import objects


@pytest.mark.usefixtures("namespaces")
def test_a_real_api_server_takes_them(server: ApiServer, tmp_path: Path, run: Callable[..., dict[str, Any]]) -> None:
    local = objects(tmp_path)
    own = [each for each in local.values() if each["kind"] in ("Namespace", "ConfigMap", "Service", "Deployment")]
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=own)
    assert not result.get("failed"), result["msg"]
    again = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=own)
    assert again["counts"]["unchanged"] == len(own) == 4
