# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real API server with Flux's own CRDs takes what role flux writes; its texts are those of the golden files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import api_server
from repository import ROOT

GOLDEN = ROOT / "tests/golden/files/flux"
CRDS = ROOT.parent / "shared/contracts/crds/flux"


def test_the_dry_run_takes_every_object(tmp_path: Path, run: Callable[..., dict[str, Any]]) -> None:
    if api_server.binaries() is None:
        pytest.skip(f"no etcd and kube-apiserver under {api_server.STORE}: ./odp up builds them")
    if not CRDS.exists():
        pytest.skip("the CRDs of Flux are not beside this repository (../shared/contracts/crds/flux)")
    crds = [str(path) for group in ("helm", "kustomize", "source") for path in CRDS.glob(f"{group}.toolkit*.yaml")]
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("flux-system", "kube-system")
    ]
    with api_server.api_server(tmp_path) as server:
        cluster = {"kubeconfig": str(server.kubeconfig)}
        assert run("k8s_apply", **cluster, files=crds, manifests=spaces).get("failed") is None
        result = run("k8s_apply", check=True, **cluster, files=[str(path) for path in sorted(GOLDEN.glob("*.yaml"))])
    assert result.get("failed") is None, result["msg"]
    assert sorted(each["object"] for each in result["objects"]) == [
        "HelmRelease kube-system/cilium",
        "HelmRepository kube-system/cilium",
        "Kustomization flux-system/cilium",
        "Kustomization flux-system/platform",
        "OCIRepository flux-system/platform",
    ]
