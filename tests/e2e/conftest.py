# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One fleet for all tests of this layer, which build on one another in the order of their files."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fleet_state
import host_state
from fleet import Fleet

FILES = (
    "test_local_fleet.py",
    "test_mesh.py",
    "test_teardown.py",
    "test_platform.py",
    "test_kind.py",
    "test_k3s.py",
    "test_three_clusters.py",
)
MINUTES = 45  # for what is built where nothing is cached


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A limit for every test; the first may have to build."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    here.sort(key=lambda item: FILES.index(item.path.name))
    items[:] = [item for item in items if item not in here] + here
    for number, item in enumerate(here):
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900 if number else MINUTES * 60))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where a run has an end (seconds since 1970), what may not be over by then is named and not run."""
    marker = item.get_closest_marker("minutes")
    left = float(os.environ.get("ODP_TEST_END", "inf")) - time.time()
    if left < 60 * (marker.args[0] if marker else 3):
        pytest.skip("not run: the time that ODP_TEST_END gives would not suffice")


@pytest.fixture(scope="session")
def host_before() -> dict[str, Any]:
    """The host as it was before the first run."""
    return host_state.snapshot()


@pytest.fixture(scope="session")
def fleet(host_before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The shared fleet with all that it is made from; whatever happened, it is taken down at the end."""
    made = Fleet(tmp_path_factory.mktemp("inventories") / "e2e")
    made.must("playbooks/artifacts.yml", timeout=MINUTES * 60)
    yield made
    made.down()


@pytest.fixture(scope="session")
def undisturbed(fleet: Fleet) -> dict[str, Any]:
    """State after one run that nothing disturbed."""
    fleet.must()
    return fleet_state.snapshot(fleet)
