# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A fleet with the platform is saved, altered and restored, and restored once more after it was taken down."""

from collections.abc import Iterator

import pytest

import host_state
from fleet import Fleet, odp
from observations import published, right, well

pytestmark = pytest.mark.e2e
NAME = "e2e-test"


@pytest.fixture(scope="module")
def platform(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with the services of inventories/local."""
    fleet.deliver()
    fleet.build()
    odp("snapshot", "remove", NAME, str(fleet.directory))
    fleet.must(timeout=1200)
    yield fleet
    odp("snapshot", "remove", NAME, str(fleet.directory))


def snapshot(fleet: Fleet, verb: str) -> None:
    code, output = odp("snapshot", verb, NAME, str(fleet.directory), timeout=600)
    assert code == 0, output[-4000:]


def unchanged(fleet: Fleet) -> None:
    run = fleet.must()
    assert run.changes == 0, run.tail()


@pytest.mark.timeout(1500)
def test_a_saved_fleet_is_as_it_was(platform: Fleet) -> None:
    snapshot(platform, "save")
    unchanged(platform)
    code, listed = odp("snapshot", "list", str(platform.directory))
    assert code == 0
    assert [line.split()[0] for line in listed.splitlines()] == [NAME]
    code, output = odp("snapshot", "save", NAME, str(platform.directory))
    assert code != 0
    assert f"Choose another name, or remove it first: ./odp snapshot remove {NAME}" in " ".join(output.split())


def test_what_happened_since_is_undone(platform: Fleet) -> None:
    revision, before = published(platform, "north"), platform.kubectl("south", "get", "nodes", "-o", "name")
    platform.kubectl("north", "create", "configmap", "since")
    platform.kubectl("north", "delete", "namespace", "dagster")
    platform.ssh("north-1", "rm -rf /var/lib/odp-volumes/*")
    platform.ssh("south-1", "rm -rf /var/lib/etcd/member /etc/kubernetes")
    snapshot(platform, "restore")
    assert "since" not in platform.kubectl("north", "get", "configmaps", "-o", "name")
    assert platform.kubectl("south", "get", "nodes", "-o", "name") == before
    assert published(platform, "north") == revision
    unchanged(platform)
    well(platform)
    assert right(platform.play("playbooks/verify.yml"))


def test_a_fleet_that_was_taken_down_comes_back(platform: Fleet, host_before: dict) -> None:
    assert platform.down().code == 0
    snapshot(platform, "restore")
    unchanged(platform)
    well(platform)
    assert right(platform.play("playbooks/verify.yml"))
    assert platform.down().code == 0
    assert host_state.left_behind(host_before) == []


def test_a_removed_snapshot_is_not_restored(platform: Fleet) -> None:
    assert odp("snapshot", "remove", NAME, str(platform.directory))[0] == 0
    code, output = odp("snapshot", "restore", NAME, str(platform.directory))
    assert code != 0
    assert f"there is no snapshot {NAME}. Known: none." in " ".join(output.split())
