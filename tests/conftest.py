# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Lets every test import the collection by its full name, as Ansible does, and run its modules in this process."""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
# Before the import below, which reads the configuration; tests run from any directory.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.testing import patch_module_args  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from hypothesis import settings  # noqa: E402

init_plugin_loader()
# Performance is measured by benchmarks; a slow machine is no fault of the code.
settings.register_profile("odp", deadline=None)
settings.load_profile("odp")

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """run("supervised", check=True, name=...) -> the module's result, with "failed" if it failed.

    A module of another collection by the name that Python has for it.
    """

    def call(module_name: str, /, check: bool = False, **params: Any) -> dict[str, Any]:
        ours = f"ansible_collections.opendata.platform.plugins.modules.{module_name}"
        module = importlib.import_module(module_name if "." in module_name else ours)
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings of the modules that the test runs."""
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    return warnings


class Skips:
    """Where CI is set, a skip that tests/skips.yml does not name fails the run; at the end all are listed."""

    def __init__(self) -> None:
        self.expected = yaml.safe_load((ROOT / "tests/skips.yml").read_text())
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skip that nobody expected."""
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if not any(report.nodeid.startswith(each["tests"]) and each["reason"] in reason for each in self.expected):
                self.unexpected.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run."""
        if self.unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name each, and what to do."""
        for line in self.unexpected:
            terminalreporter.line(f"SKIPPED although tests/skips.yml does not name it: {line}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Watch the skips of all workers from their controller."""
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skips())
