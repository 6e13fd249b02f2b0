# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real API server takes all that is rendered, with the CRDs of Flux, Cilium and the operators."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import secrets as service_secrets

import contracts
from api_server import ApiServer
from repository import TESTS
from service_examples import CASES, case, manifests

OPERATED = TESTS / "golden/files/stores/cloudnative_pg"
KINDS = {
    "CiliumNetworkPolicy",
    "Database",
    "DatabaseRole",
    "Deployment",
    "HTTPRoute",
    "HelmRelease",
    "HelmRepository",
    "Job",
    "Kustomization",
    "Namespace",
    "NetworkPolicy",
    "OCIRepository",
    "PersistentVolumeClaim",
    "PodMonitor",
    "Secret",
}


@pytest.fixture(scope="module")
def server(flux_server: ApiServer) -> ApiServer:
    """An API server with all kinds that the platform writes."""
    contracts.serve(str(flux_server.kubeconfig), contracts.gateway_api() + contracts.of_operators())
    return flux_server


def test_every_object_is_accepted(server: ApiServer, run: Callable[..., dict[str, Any]]) -> None:
    seen = set()
    flux = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    for name in CASES:
        made = manifests(*case(name))
        wanted = [flux, *service_secrets.secrets(made["secrets"], "k" * 32, "north")]
        wanted += [each for text in made["files"].values() for each in yaml.safe_load_all(text)]
        result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted, force_conflicts=True)
        assert not result.get("failed"), result["msg"]
        assert len(result["objects"]) == len(wanted)
        seen |= {each["kind"] for each in wanted}
        again = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted, force_conflicts=True)
        assert again["counts"]["unchanged"] == len(wanted)
    assert seen >= KINDS


def test_a_database_that_an_operator_runs_is_accepted(server: ApiServer, run: Callable[..., dict[str, Any]]) -> None:
    wanted = [each for path in OPERATED.glob("*.yaml") for each in yaml.safe_load_all(path.read_text())]
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted, force_conflicts=True)
    assert not result.get("failed"), result["msg"]
    assert {each["kind"] for each in wanted} >= {"Cluster", "HelmRelease"}
    again = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=wanted, force_conflicts=True)
    assert again["counts"]["unchanged"] == len(wanted)
