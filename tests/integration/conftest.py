# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One real API server for all tests of the Cluster Mesh modules."""

from collections.abc import Iterator

import pytest

import api_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_server.ApiServer]:
    """The real etcd and kube-apiserver; skipped where the artifacts' store does not hold them."""
    if api_server.binaries() is None:
        pytest.skip(f"no etcd and kube-apiserver under {api_server.STORE}: ./odp up builds them")
    with api_server.api_server(tmp_path_factory.mktemp("api")) as running:
        yield running
