# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Contracts of other projects: from the artifact store, else from tests/fixtures/contracts."""

import json
import time
from typing import Any

import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import artifact_store
from repository import TESTS

FIXTURES = TESTS / "fixtures/contracts"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SECONDS = 60

Crds = list[dict[str, Any]]


def flux() -> Crds:
    """CRDs of the Flux distribution that role flux installs."""
    return _crds("flux_manifests-*/flux.yaml")


def gateway_api() -> Crds:
    """CRDs of Gateway API that role gateway_api installs."""
    return _crds("gateway_api_crds-*/standard.yaml")


def of_operators() -> Crds:
    """CRDs of Cilium, CloudNativePG and the Prometheus operator for the kinds that the platform writes."""
    return [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.*.json"))]


def _crds(pattern: str) -> Crds:
    documents = yaml.load_all(artifact_store.newest(pattern).read_text(), Loader=yaml.CSafeLoader)
    return [each for each in documents if each and each["kind"] == "CustomResourceDefinition"]


def serve(kubeconfig: str, definitions: Crds) -> None:
    """Let an API server serve these kinds. There is no way back: it may take minutes to remove a CRD."""
    cluster = Cluster(kubeconfig)
    for definition in definitions:
        cluster.request("POST", DEFINITIONS, body=definition)
    wanted = {each["spec"]["names"]["kind"] for each in definitions}
    deadline = time.monotonic() + SECONDS
    while not wanted <= {kind for _api, kind in cluster.discover()}:
        assert time.monotonic() < deadline, f"the API server did not serve the CRDs within {SECONDS} s"
        time.sleep(0.1)
