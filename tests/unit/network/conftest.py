# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One real API server for all tests of this directory, and a way to run modules against it."""

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

import api_server

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_server.ApiServer]:
    """The real etcd and kube-apiserver; skipped where the artifacts' store does not hold them."""
    if api_server.binaries() is None:
        pytest.skip(f"no etcd and kube-apiserver under {api_server.STORE}: ./odp up builds them")
    with api_server.api_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """run("k8s_apply", check=True, manifests=[...]) -> the module's result, with "failed" if it failed."""

    def call(module_name: str, check: bool = False, **params: Any) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.opendata.platform.plugins.modules.{module_name}")
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(capsys.readouterr().out))

    return call
