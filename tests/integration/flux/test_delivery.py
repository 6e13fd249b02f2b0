# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real API server with Flux's CRDs accepts what role flux writes; its texts are those of the golden files."""

from collections.abc import Callable
from typing import Any

import pytest

from api_server import ApiServer
from repository import TESTS

GOLDEN = TESTS / "golden/files/flux"


@pytest.fixture(scope="module")
def server(flux_server: ApiServer) -> ApiServer:
    """The API server of this file."""
    return flux_server


def test_the_dry_run_accepts_every_object(server: ApiServer, run: Callable[..., dict[str, Any]]) -> None:
    cluster = {"kubeconfig": str(server.kubeconfig)}
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("flux-system", "kube-system")
    ]
    assert run("k8s_apply", **cluster, manifests=spaces).get("failed") is None
    result = run("k8s_apply", check=True, **cluster, files=[str(path) for path in sorted(GOLDEN.glob("*.yaml"))])
    assert result.get("failed") is None, result["msg"]
    assert sorted(each["object"] for each in result["objects"]) == [
        "HelmRelease kube-system/cilium",
        "HelmRepository kube-system/cilium",
        "Kustomization flux-system/cilium",
        "Kustomization flux-system/platform",
        "OCIRepository flux-system/platform",
    ]
