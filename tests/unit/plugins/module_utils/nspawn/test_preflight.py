# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What keeps machines from being created is reported before anything is changed."""

from dataclasses import replace

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.preflight import GIB, Seen, Wanted, findings

WANTED = Wanted("local", "/srv/inv/local", "odp-local", "10.77.0.0/24", 6, 15, {"north-1": "10.77.0.11"})
OURS = {"directory": "/srv/inv/local", "bridge": "odp-local", "network": "10.77.0.0/24"}
OTHER = {"directory": "/srv/inv/dev", "bridge": "odp-dev", "network": "10.77.0.0/16"}


def test_a_fit_host_has_no_findings() -> None:
    assert findings(WANTED, Seen()) == []


def test_a_running_fleet_is_no_obstacle_to_itself() -> None:
    seen = Seen(
        memory=0,
        disk=0,
        all_made=True,
        routes=[
            ("odp-local", "10.77.0.1/24"),
            ("odp-local", "10.77.0.0/24"),
            ("eth0", "192.0.2.0/24"),
            ("lo", "::1/128"),
        ],
        fleets={"local": OURS},
        links=["odp-local"],
    )
    assert findings(WANTED, seen) == []


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(root=False), ["root", "sudo"]),
        (Seen(missing={"nft": "nftables"}, apt=False), ["nft", "nftables", "Install"]),
        (Seen(memory=int(5.9 * GIB)), ["machine_nspawn_memory_gib", "6 GiB", "5.9 GiB", "/srv/inv/local/group_vars"]),
        (Seen(disk=14 * GIB), ["machine_nspawn_disk_gib", "15 GiB", "14.0 GiB", "/var/lib/odp"]),
        (
            Seen(routes=[("wg0", "10.77.0.128/25")]),
            ["machine_nspawn_network", "wg0", "10.77.0.128/25", "/srv/inv/local"],
        ),
        (Seen(fleets={"dev": OTHER}), ["machine_nspawn_network", "odp-dev", "fleet dev"]),
        (Seen(fleets={"local": {**OURS, "directory": "/old"}}), ["'local'", "/old", "./odp down local"]),
        (
            Seen(fleets={"local": {**OURS, "network": "10.99.0.0/24"}}),
            ["machine_nspawn_network", "10.99.0.0/24", "down"],
        ),
        (Seen(links=["odp-local"]), ["machine_nspawn_bridge", "odp-local", "not ours"]),
    ],
)
def test_one_finding_names_variable_value_and_next_step(seen: Seen, expected: list[str]) -> None:
    (finding,) = findings(WANTED, seen)
    assert [word for word in expected if word not in str(finding)] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"addresses": {"a": "10.78.0.11"}},
            "a: node_address: 10.78.0.11 is outside of machine_nspawn_network",
        ),
        ({"addresses": {"a": "10.77.0.1"}}, "10.77.0.1 is the bridge's address"),
        ({"addresses": {"a": "10.77.0.0"}}, "10.77.0.0 is the network address"),
        ({"addresses": {"a": "10.77.0.255"}}, "10.77.0.255 is the broadcast address"),
        ({"bridge": "odp-a-long-name-for-it"}, "longer than 15"),
        ({"network": "10.77.0.1/24"}, "machine_nspawn_network: 10.77.0.1/24 has host bits set"),
        ({"network": "ten"}, "machine_nspawn_network: 'ten' does not appear"),
    ],
)
def test_what_the_inventory_has_wrong(change: dict, expected: str) -> None:
    (finding,) = findings(replace(WANTED, **change), Seen())
    assert expected in str(finding)


def test_all_findings_come_at_once_in_a_stable_order() -> None:
    seen = Seen(root=False, memory=0, disk=0, routes=[("wg1", "10.0.0.0/8"), ("wg0", "10.77.0.0/25")])
    found = findings(WANTED, seen)
    assert [each.variable for each in found] == [
        "user",
        "machine_nspawn_memory_gib",
        "machine_nspawn_disk_gib",
        "machine_nspawn_network",
        "machine_nspawn_network",
    ]
    assert found == findings(WANTED, seen)
