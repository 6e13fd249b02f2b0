# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet's rules: every invalid fixture is refused with its words, every valid one gives a record."""

import dataclasses
import ipaddress

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.findings import locate
from ansible_collections.opendata.platform.plugins.module_utils.fleet import record
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.fleet.cidr import (
    Range,
    clashes,
    network,
    split_endpoint,
)
from ansible_collections.opendata.platform.plugins.module_utils.fleet.record import Inventory
from hypothesis import given
from hypothesis import strategies as st

import inventories


def errors(inventory: Inventory) -> list[str]:
    return [str(found) for found in describe(inventory)[1] if found.is_error]


@pytest.mark.parametrize("name", inventories.names("invalid"))
def test_refused_with_exactly_the_expected_findings(name: str) -> None:
    expected = (inventories.FIXTURES / "invalid" / name / "expected.txt").read_text().splitlines()
    assert expected
    assert errors(inventories.load("invalid", name)) == expected


@pytest.mark.parametrize("name", inventories.names("valid"))
def test_accepted_without_a_finding(name: str) -> None:
    assert errors(inventories.load("valid", name)) == []


@pytest.mark.parametrize("value", [7, -1, True, 1.5, None, "²", ["a"], [["a"]], {"a": "b"}, {1: ["b"]}])
@pytest.mark.parametrize("name", ["dev", "existing", "hcloud", "k3s", "three"])
def test_no_value_of_any_type_breaks_a_rule(name: str, value: object) -> None:
    inventory = inventories.load("valid", name)
    known = [*inventories.SCHEMA.values(), *inventories.ROLES.values()]
    for variable in (variable for variables in known for variable in variables):
        odd = {variable: value} if variable not in inventory.common else {}
        hosts = [
            {host: {**own, **odd} for host, own in group.items()} for group in (inventory.clusters, inventory.nodes)
        ]
        common = {**inventory.common, variable: value}
        describe(dataclasses.replace(inventory, clusters=hosts[0], nodes=hosts[1], common=common))


@pytest.mark.parametrize("name", inventories.shipped())
def test_every_inventory_that_ships_is_accepted(name: str) -> None:
    assert errors(inventories.load_shipped(name)) == []


def test_the_example_of_existing_clusters_has_one_in_no_mesh() -> None:
    record, _ = describe(inventories.load_shipped("existing"))
    assert record["mesh"] == ["aws", "metal"]
    assert [record["clusters"][name]["cilium"] for name in ("aws", "google", "metal")] == [True, False, True]


@pytest.mark.parametrize("name", inventories.names("valid"))
def test_the_record_has_exactly_the_keys_of_its_types(name: str) -> None:
    found, _ = describe(inventories.load("valid", name))
    assert set(found) == set(record.FleetRecord.__annotations__)
    assert set(found["platform"]) == set(record.PlatformRecord.__annotations__)
    for cluster in found["clusters"].values():
        assert set(cluster) == set(record.ClusterRecord.__annotations__)
    for node in found["nodes"].values():
        assert set(node) == set(record.NodeRecord.__annotations__)


def test_order_of_hosts_does_not_change_the_findings() -> None:
    inventory = inventories.load("invalid", "misspelt-cluster-variable")
    backwards = dataclasses.replace(inventory, clusters=dict(reversed(inventory.clusters.items())))
    assert errors(inventory) == errors(backwards)


def test_what_roles_found_out_of_a_machine_is_no_misspelt_variable() -> None:
    inventory = inventories.load("valid", "three")
    inventory.nodes["north-3"] |= {"node_facts": {}, "node_planned": False}
    assert errors(inventory) == []


def test_an_even_number_of_control_plane_nodes_is_a_warning() -> None:
    inventory = inventories.load("valid", "three")
    del inventory.nodes["north-3"]
    findings = describe(inventory)[1]
    assert [(found.severity, found.subject) for found in findings] == [("warning", "north")]
    assert "2 control plane nodes (north-1, north-2) survive no more failures than 1 would" in str(findings[0])


def test_endpoint_is_the_address_of_the_first_control_plane_node_unless_set() -> None:
    assert describe(inventories.load("valid", "local"))[0]["clusters"]["south"]["endpoint"] == "10.77.0.12:6443"
    north = describe(inventories.load("valid", "three"))[0]["clusters"]["north"]
    assert (north["api_host"], north["api_port"]) == ("api.north.example.org", 6443)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:1", ("a", 1)),
        ("a", ("a", 0)),
        (":1", (":1", 0)),
        ("a:b", ("a:b", 0)),
        ("a:70000", ("a:70000", 0)),
        ("a:²", ("a:²", 0)),
    ],
)
def test_split_endpoint(text: str, expected: tuple[str, int]) -> None:
    assert split_endpoint(text) == expected


def test_locate_prefers_the_hosts_own_lines() -> None:
    files = {
        "group_vars/nodes.yml": "node_address: 10.0.0.1\n",
        "hosts.yml": "nodes:\n  hosts:\n    a:\n      node_address: 10.0.0.1\n    b:\n      node_address: 10.0.0.2\n",
        "host_vars/c.yml": "\nnode_address: 10.0.0.3\n",
    }
    assert locate(files, "b", "node_address") == "hosts.yml:6"
    assert locate(files, "c", "node_address") == "host_vars/c.yml:2"
    assert locate(files, "d", "node_address") == "group_vars/nodes.yml:1"
    assert locate(files, "a", "") == "hosts.yml:3"
    assert locate(files, "a", "node_role") == "hosts.yml:3"
    assert locate({}, "a", "node_role") == "the inventory"


networks = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address),
    st.integers(8, 30),
)
kinds = st.sampled_from(["pod", "service", "machine"])
ranges = st.lists(st.builds(Range, kinds, st.sampled_from("abc"), st.just("variable"), networks), max_size=6)


@given(ranges)
def test_clashes_are_the_pairs_with_a_common_address(found: list[Range]) -> None:
    reported = {frozenset((id(one), id(other))) for one, other in clashes(found)}
    for index, one in enumerate(found):
        for other in found[index + 1 :]:
            common = max(one.net[0], other.net[0]) <= min(one.net[-1], other.net[-1])
            allowed = (one.kind, other.kind) in {("machine", "machine"), ("service", "service")}
            assert (frozenset((id(one), id(other))) in reported) == (common and not allowed)


@given(ranges)
def test_what_is_to_change_is_never_a_machine_beside_a_range(found: list[Range]) -> None:
    assert all(mine.kind != "machine" for mine, _ in clashes(found))


@given(networks)
def test_a_network_is_itself_and_no_network_with_host_bits(net: ipaddress.IPv4Network) -> None:
    assert network(str(net)) == net
    assert network(f"{net[1]}/{net.prefixlen}") is None
