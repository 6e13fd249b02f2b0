# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which clusters' traffic is encrypted, and which machines cannot reach each other."""

import ipaddress
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.findings import Findings
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.fleet.rules import addresses
from hypothesis import given
from hypothesis import strategies as st

import inventories

node = st.fixed_dictionaries(
    {
        "network": st.sampled_from(["", "home", "cloud"]),
        "machine": st.sampled_from(["existing", "nspawn"]),
        "address": st.sampled_from(
            ["10.0.0.1", "192.0.2.1", "100.64.0.1", "fd00::1", "2001:db8::1", "no address", None]
        ),
        "cluster": st.sampled_from(["one", "two", "three"]),
    }
)


def record(nodes: list[dict[str, Any]], mesh: list[str]) -> dict[str, Any]:
    named = {f"n{number}": {"name": f"n{number}", **each} for number, each in enumerate(nodes)}
    clusters = {
        name: {"provider": "kubeadm", "nodes": [key for key, each in named.items() if each["cluster"] == name]}
        for name in ("one", "two", "three")
    }
    return {"clusters": clusters, "nodes": named, "mesh": mesh}


def told(found: dict[str, Any]) -> set[str]:
    findings = Findings({})
    addresses.reach(found, findings)
    return {each.subject for each in findings.sorted()}


fleets = st.builds(record, st.lists(node, max_size=6), st.sampled_from([[], ["one", "two"]]))


@given(fleets)
def test_told_is_each_private_address_beside_another_network(fleet: dict[str, Any]) -> None:
    def together(one: dict[str, Any], other: dict[str, Any]) -> bool:
        return one["cluster"] == other["cluster"] or {one["cluster"], other["cluster"]} <= {*fleet["mesh"]}

    def place(one: dict[str, Any]) -> str:
        return one["network"] or ("" if one["machine"] == "existing" else "nspawn")

    expected = {
        one["name"]
        for one in fleet["nodes"].values()
        for other in fleet["nodes"].values()
        if one["address"] in ("10.0.0.1", "fd00::1") and together(one, other) and place(one) and place(other)
        if place(one) != place(other)
    }
    assert told(fleet) == expected


@given(fleets)
def test_a_mesh_is_encrypted_as_a_whole_and_one_network_is_not(fleet: dict[str, Any]) -> None:
    encrypted = addresses.encrypted(fleet)
    assert {*fleet["mesh"]} <= encrypted or not {*fleet["mesh"]} & encrypted
    # Whoever is told about has traffic between networks.
    assert {fleet["nodes"][name]["cluster"] for name in told(fleet)} <= encrypted
    for each in fleet["nodes"].values():
        each |= {"network": "home"}
    assert addresses.encrypted(fleet) == told(fleet) == set()


@given(fleets)
def test_unnamed_networks_are_no_network(fleet: dict[str, Any]) -> None:
    for each in fleet["nodes"].values():
        each |= {"network": "", "machine": "existing"}
    scopes = [fleet["mesh"], *[[name] for name in fleet["clusters"] if name not in fleet["mesh"]]]
    many = [scope for scope in scopes if sum(len(fleet["clusters"][name]["nodes"]) for name in scope) > 1]
    assert addresses.encrypted(fleet) == {name for scope in many for name in scope}
    assert told(fleet) == set()


@pytest.mark.parametrize(
    ("providers", "encrypted"),
    [(["kind", "kind"], False), (["existing", "kind"], True), (["existing", "existing"], True), (["existing"], False)],
)
def test_clusters_without_machines_of_ours(providers: list[str], encrypted: bool) -> None:
    clusters = {str(number): {"provider": each, "nodes": []} for number, each in enumerate(providers)}
    found = addresses.encrypted({"clusters": clusters, "nodes": {}, "mesh": [*clusters]})
    assert bool(found) == encrypted


def test_of_the_fixtures() -> None:
    def encrypted(name: str) -> list[str]:
        clusters = describe(inventories.load("valid", name))[0]["clusters"]
        return [key for key, cluster in clusters.items() if cluster["encrypted"]]

    assert encrypted("places") == ["cloud", "home"]
    assert encrypted("local") == []


@given(st.ip_addresses())
def test_private_is_what_nobody_outside_can_route(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if addresses._is_private(str(address)):
        assert not address.is_global
    if address.is_global and not address.is_multicast:
        assert not addresses._is_private(str(address))
