# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs a module of the collection in this process and returns what it would send to Ansible."""

import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """run("supervised", check=True, name=...) -> the module's result, with "failed" if it failed."""

    def call(module_name: str, /, check: bool = False, **params: Any) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.opendata.platform.plugins.modules.{module_name}")
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call
