# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a run refuses to delete, what it deletes when it was typed, and what it says when Hetzner refuses."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.hcloud.resources import labels

from standins.hcloud import offer
from standins.hcloud.server import Fault

pytestmark = pytest.mark.timeout(1200)
LIMIT = Fault("POST", "/servers$", 403, "resource_limit_exceeded", "server limit exceeded", times=1)
SPENT = Fault("GET", "/servers$", 429, "rate_limit_exceeded", "limit of 3600 requests per hour reached")
THEIRS = Fault("POST", "/placement_groups$", 409, "uniqueness_error", "name is already used", times=1)


def born(site: Any, name: str, address: str) -> None:
    """A machine of the fleet that an earlier run made."""
    mine = labels("prd", cluster="hz", role="control_plane", node=name)
    body = {"name": name, "server_type": "cx33", "image": "debian-13", "location": "fsn1", "labels": mine}
    server = site.stand_in.world.create_server(body)["server"]
    network = site.stand_in.world.by_name("networks", "opendata-prd")
    site.stand_in.world.attach_server(server, {"network": network["id"], "ip": address})


@pytest.fixture
def two(site: Any) -> Any:
    """Two machines at the stand-in; the inventory has the first only, whose address its API is found at."""
    world = site.stand_in.world
    network = world.create_network({"name": "opendata-prd", "ip_range": "10.78.0.0/16", "labels": labels("prd")})
    for half in ("10.78.0.0/17", "10.78.128.0/17"):
        world.add_subnet(network["network"], {"ip_range": half, "type": "cloud", "network_zone": "eu-central"})
    born(site, "hz-1", "10.78.0.11")
    born(site, "hz-2", "10.78.0.12")
    world.add_volume("data", 50, "hz-2")
    site.cluster["cluster_endpoint"] = "203.0.113.1:6443"
    site.add("hz-1", "10.78.0.11")
    return site


def test_a_machine_that_left_goes_only_when_its_name_was_typed(two: Any) -> None:
    for arguments in ([], ["--check"]):
        refused = two.run(*arguments, entry="check" if arguments else "main")
        assert refused.code != 0
        assert (
            "hz-2: machine_hcloud_delete: the server would be deleted, because it was removed from the inventory; "
            "lost: "
            "its disk and its etcd member (cx33, debian-13 at fsn1, 203.0.113.2, created 2026-11-01); kept, detached: "
            "volume data (50 GB). Restore the inventory, or confirm the deletion: -e machine_hcloud_delete=hz-2"
        ) in refused.text
        assert two.stand_in.writes() == []
    typed = two.run("-e", "machine_hcloud_delete=hz-2")
    assert typed.code == 0, typed.text[-5000:]
    assert [one["name"] for one in two.stand_in.world.things["servers"].values()] == ["hz-1"]
    assert two.stand_in.world.by_name("volumes", "data")["server"] is None


def test_down_shows_what_stays_and_deletes_what_was_typed(two: Any) -> None:
    two.stand_in.world.things["images"] = {
        30: offer.image(
            30, None, "snapshot", image_size=2.5, description="before", created_from={"id": 1005, "name": "x"}
        )
    }
    first = two.stand_in.world.by_name("servers", "hz-1")
    two.stand_in.world.things["images"][30]["created_from"]["id"] = first["id"]
    shown = two.run(entry="absent")
    assert (shown.code, shown.changed) == (0, 0), shown.text[-5000:]
    assert two.stand_in.writes() == []
    for line in (
        "These remain at Hetzner Cloud until you delete them there, or with -e machine_hcloud_delete=NAMES:",
        "server hz-1 (cx33 at fsn1): 5.49 EUR",
        "server hz-2 (cx33 at fsn1): 5.49 EUR",
        "primary IP 203.0.113.1: 0.50 EUR",
        "volume data (50 GB): 2.20 EUR",
        "snapshot before (2.5 GB): 0.03 EUR",
        "total: 14.21 EUR a month without VAT, at Hetzner's current prices",
    ):
        assert f'"{line}"' in shown.text, line
    gone = two.run("-e", "machine_hcloud_delete=hz-1,hz-2,data", entry="absent")
    assert gone.code == 0, gone.text[-5000:]
    things = two.stand_in.world.things
    assert [things[kind] for kind in ("servers", "volumes", "networks", "primary_ips")] == [{}, {}, {}, {}]
    assert "total: 0.03 EUR a month" in gone.text


def test_refusals_of_hetzner_say_what_to_do_and_a_rerun_goes_on(site: Any) -> None:
    site.cluster["cluster_endpoint"] = "203.0.113.1:6443"
    site.add("hz-1", "10.78.0.11")

    site.stand_in.faults = [SPENT]
    spent = site.run(entry="check")
    assert spent.code != 0
    assert (
        "limit of 3600 requests per hour reached (rate_limit_exceeded). The project has reached its rate limit "
        "(3600 requests an hour, refilled at one a second). Wait a few minutes and run again; nothing else should use "
        "the project's tokens meanwhile."
    ) in spent.text
    assert len(site.stand_in.exchanges) == 6

    site.stand_in.faults = [THEIRS]
    theirs = site.run()
    assert theirs.code != 0
    assert (
        "name is already used (uniqueness_error). The project has a resource of this name or key without the labels of "
        "the fleet. Rename or delete it, or use a separate project for the fleet."
    ) in theirs.text

    site.stand_in.faults = [LIMIT]
    limit = site.run()
    assert limit.code != 0
    assert (
        "server limit exceeded (resource_limit_exceeded). The project has reached its limit. Request a higher one in "
        "the Cloud Console (Limits), or delete unused resources, and run again."
    ) in limit.text

    site.stand_in.world.failing = "create_server"
    failed = site.run()
    assert failed.code != 0
    assert (
        "Hetzner did not complete the action. Run again: resources that were created are found by their labels."
        in failed.text
    )

    site.stand_in.world.failing = ""
    rerun = site.run()
    assert rerun.code == 0, rerun.text[-5000:]
    assert site.stand_in.world.by_name("servers", "hz-1")["status"] == "running"


def test_the_first_run_reports_what_the_endpoint_must_resolve_to(site: Any) -> None:
    site.cluster["cluster_endpoint"] = "192.0.2.99:6443"
    site.add("hz-1", "10.78.0.11")
    done = site.run()
    assert done.code != 0
    assert (
        "hz: cluster_endpoint 192.0.2.99 must resolve to 203.0.113.1, but resolves to 192.0.2.99. Set that "
        "address in your "
        "DNS, and run again."
    ) in done.text


def test_without_a_token_it_says_how_to_get_one(site: Any) -> None:
    site.add("hz-1", "10.78.0.11")
    del site.variables["machine_hcloud_token"]
    done = site.run(entry="check")
    assert done.code != 0
    assert "Neither machine_hcloud_token nor HCLOUD_TOKEN in the environment is set: create a token" in done.text
    assert site.stand_in.exchanges == []
