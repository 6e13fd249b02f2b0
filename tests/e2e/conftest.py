# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One fleet for the tests of a file, which build on one another in their order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fleet_state
import host_state
from fleet import Fleet

BUILD_SECONDS = 45 * 60  # for what is built where nothing is cached


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A limit for every test; the first of a file may have to build."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    files = set()
    for item in here:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900 if item.path in files else BUILD_SECONDS))
        files.add(item.path)


@pytest.fixture(scope="session")
def host_before() -> dict[str, Any]:
    """The host as it was before the first run."""
    return host_state.snapshot()


@pytest.fixture(scope="session")
def fleet(host_before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The shared fleet with all that it is made from; whatever happened, it is taken down at the end."""
    made = Fleet(tmp_path_factory.mktemp("inventories") / "e2e")
    made.build()
    yield made
    made.down()


@pytest.fixture(scope="session")
def undisturbed(fleet: Fleet) -> dict[str, Any]:
    """State after one run that nothing disturbed."""
    fleet.must()
    return fleet_state.snapshot(fleet)
