# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the host must be like, computed."""

import ipaddress

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import layout as rules
from hypothesis import given
from hypothesis import strategies as st

NETWORKS = st.builds(
    lambda number, length: str(ipaddress.ip_network((number, length), strict=False)),
    st.integers(1 << 24, (1 << 32) - 1),
    st.integers(8, 30),
)


@given(network=NETWORKS)
def test_the_bridge_has_the_first_address_of_any_network(network: str) -> None:
    address = ipaddress.ip_interface(rules.bridge_address(network))
    assert address.network == ipaddress.ip_network(network)
    assert int(address.ip) == int(address.network.network_address) + 1


@given(fleet=st.text(min_size=1))
def test_the_bridge_has_a_local_unicast_hardware_address_of_its_own(fleet: str) -> None:
    octets = [int(octet, 16) for octet in rules.bridge_mac(fleet).split(":")]
    assert len(octets) == 6
    assert octets[0] == 2
    assert rules.bridge_mac(fleet) == rules.bridge_mac(fleet) != rules.bridge_mac(fleet + "x")


def test_what_nft_lists_is_compared_without_handles_and_version() -> None:
    wanted = rules.nft_objects("my-fleet", "10.77.0.0/24", "odp-local")
    listed = [{"metainfo": {"version": "1.0"}}]
    for entry in wanted:
        ((kind, body),) = entry.items()
        listed.append({kind: {**body, "handle": 7}})
    assert rules.nft_stripped({"nftables": listed}) == wanted
    assert wanted[0] == {"table": {"family": "ip", "name": "odp_my_fleet"}}


def test_values_are_raised_and_never_lowered() -> None:
    current = {"net.ipv4.ip_forward": 0, "fs.inotify.max_user_instances": 99999}
    assert rules.sysctls_to_set(current) == {"net.ipv4.ip_forward": 1}


def test_the_way_back_names_what_differs_and_what_the_kernel_still_has() -> None:
    remembered = {"fs.nr_open": 1048576, "kernel.panic": 0, "gone.since": 1}
    assert rules.sysctls_to_restore({"fs.nr_open": 2147483584, "kernel.panic": 0}, remembered) == {
        "fs.nr_open": 1048576
    }


def test_a_second_fleet_remembers_what_was_before_the_first() -> None:
    current = {"net.ipv4.ip_forward": 1, "kernel.panic": 10, "net.ipv4.tcp_rmem": 5}
    first = {"net.ipv4.ip_forward": 0, "kernel.panic": 0}
    assert rules.remembered_sysctls(current, [first]) == first
    assert rules.remembered_sysctls(current, []) == {"net.ipv4.ip_forward": 1, "kernel.panic": 10}


def test_every_value_that_is_raised_is_remembered() -> None:
    assert set(rules.RAISED) <= set(rules.REMEMBERED)
    assert len(rules.REMEMBERED) == len(set(rules.REMEMBERED))


@pytest.mark.parametrize("address", ["10.77.0.11", "10.77.0.254"])
def test_a_machine_has_the_prefix_of_its_network(address: str) -> None:
    assert rules.machine_address(address, "10.77.0.0/22") == f"{address}/22"
