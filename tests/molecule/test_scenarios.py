# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Every scenario of molecule, whole: prepare, converge, idempotence, check, verify, cleanup; nothing is left behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import host_state
from fleet import Fleet

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
SECONDS = 600  # for one scenario with them at hand


def without_root() -> str:
    """Machines, and programs that outlive a run, are root's."""
    return "" if os.geteuid() == 0 and sys.platform == "linux" else "it needs root on Linux"


def engine() -> str:
    """The container engine that answers; empty if none does."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, timeout=30).returncode == 0:
            return name
    return ""


def without_engine() -> str:
    """Clusters of kind are containers."""
    return "" if engine() else "it needs a container engine, and neither docker nor podman answers"


NEEDS: dict[str, Callable[[], str]] = {"kind": without_engine}


@pytest.fixture(scope="module")
def host_before() -> dict[str, Any]:
    """The host as it was before the first scenario."""
    return host_state.snapshot()


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What scenarios are made from is in the store."""
    Fleet(tmp_path_factory.mktemp("inventories") / "molecule").build()


def molecule(action: str, scenario: str, directory: Path) -> None:
    """Run an action of molecule on a scenario, whose inventory and state are in `directory`."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(directory),
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "NO_COLOR": "1",
        "ODP_ENGINE": engine(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        ["molecule", "--base-config", "molecule/config.yml", action, "--scenario-name", scenario],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise AssertionError(f"molecule {action} of {scenario} exceeded {SECONDS} s:\n{output[-6000:]}") from None
    assert process.returncode == 0, f"molecule {action} of {scenario}:\n{output[-12000:]}"


@pytest.mark.timeout(2 * SECONDS, func_only=True)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, host_before: dict[str, Any], request: pytest.FixtureRequest) -> None:
    if reason := NEEDS.get(scenario, without_root)():
        pytest.skip(f"scenario {scenario} was not run: {reason}")
    request.getfixturevalue("artifacts")
    directory = ROOT / ".cache/molecule" / scenario
    forget(scenario, directory)
    try:
        molecule("test", scenario, directory)
    finally:
        forget(scenario, directory)


def forget(scenario: str, directory: Path) -> None:
    """End what a killed run left; what had been cleaned up has no state."""
    if (directory / "inventory/.state").exists():
        molecule("cleanup", scenario, directory)
    shutil.rmtree(directory, ignore_errors=True)


def test_scenarios_left_nothing_on_the_host(host_before: dict[str, Any]) -> None:
    assert host_state.left_behind(host_before) == []
