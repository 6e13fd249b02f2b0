# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Firewall, load balancers, costs and the words of errors: pure."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import CLUSTER, CONTROL_PLANES, PORTS
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import costs, resources
from ansible_collections.opendata.platform.plugins.module_utils.hcloud.errors import STEPS, explain, unknown

import inventories
from standins.hcloud import offer

WANTED = {"server_type": "cx33", "location": "fsn1", "image": "debian-13"}


def fleet(**platform: Any) -> dict[str, Any]:
    record = describe(inventories.load("valid", "hcloud"))[0]
    record["platform"] |= platform
    return record


def rules(record: dict[str, Any], servers: list[Any]) -> dict[str, list[str]]:
    found = resources.firewall_rules(record, "hz", ["198.51.100.0/24"], servers)
    return {rule["description"].partition(":")[0]: rule["source_ips"] for rule in found}


def test_the_firewall_has_the_ports_of_the_table_and_no_others() -> None:
    inside = {port.name for port in PORTS if set(port.sources) <= {CLUSTER, CONTROL_PLANES}}
    found = rules(fleet(), [])
    assert set(found) == {port.name for port in PORTS} - inside
    assert found["vxlan"] == found["ping"] == ["192.0.2.11/32", "192.0.2.12/32"]
    assert found["https"] == ["0.0.0.0/0", "::/0"]
    assert found["ssh"] == found["api"] == ["198.51.100.0/24"]


def test_without_gateway_and_mesh_only_operators_come_in() -> None:
    record = fleet(gateway=False)
    record["mesh"] = []
    assert set(rules(record, [])) == {"ssh", "api"}


def test_machines_of_the_cluster_reach_the_api_by_its_public_name() -> None:
    servers = [
        {"ipv4_address": f"203.0.113.{number}", "labels": resources.labels("hcloud", cluster=name)}
        for number, name in ((2, "hz"), (1, "hz"), (3, "other"))
    ]
    assert rules(fleet(), servers)["api"] == ["198.51.100.0/24", "203.0.113.1/32", "203.0.113.2/32"]


def test_one_server_needs_no_load_balancer_for_its_api() -> None:
    record = fleet(gateway=False)
    assert [one["name"] for one in resources.balancers(record, "x")] == ["x-hz-api"]
    record["clusters"]["hz"]["control_planes"] = ["hz-1"]
    assert resources.balancers(record, "x") == []
    [gateway] = resources.balancers({**record, "platform": {"gateway": True}}, "x")
    assert (gateway["name"], gateway["ports"]) == ("x-hz-gateway", [80, 443])
    assert gateway["targets"] == "opendata.platform/fleet=hcloud,opendata.platform/cluster=hz"


def test_a_port_that_is_served_is_told_without_its_check() -> None:
    wanted = [{"name": "one", "ports": [80, 443]}]
    found = resources.services(wanted, [{"name": "one", "services": [{"listen_port": 80}]}])
    assert [(one["port"], bool(one["check"])) for one in found] == [(80, False), (443, True)]
    assert found[1]["check"]["port"] == 443


def test_what_stays_is_priced_as_the_api_says() -> None:
    server = {"id": 1, "name": "hz-1", "server_type": "cx33", "location": "fsn1"}
    ips = [{"ip": "203.0.113.1", "type": "ipv4", "location": "fsn1", "assignee_id": 1, "labels": {}}]
    balancer = {"name": "hz-api", "load_balancer_type": "lb11", "location": "fsn1"}
    picture = offer.image(
        20, None, "snapshot", image_size=2.5, created_from={"id": 1, "name": "hz-1"}, description="old"
    )
    lines = costs.costs(
        offer.PRICING,
        [server, {**server, "name": "hz-2", "server_type": "gone"}],
        [{"name": "data", "size": 50}],
        [balancer],
        costs.of_servers(ips, [server], {"x": "y"}),
        costs.snapshots_of([picture, offer.image(21, None, "snapshot")], [server], {"x": "y"}),
    )
    assert lines == [
        "server hz-1 (cx33 at fsn1): 5.49 EUR",
        "server hz-2 (gone at fsn1): price unknown",
        "primary IP 203.0.113.1: 0.50 EUR",
        "load balancer hz-api (lb11): 5.39 EUR",
        "volume data (50 GB): 2.20 EUR",
        "snapshot old (2.5 GB): 0.03 EUR",
        "total: 13.61 EUR a month without VAT, at Hetzner's current prices",
    ]
    assert costs.costs(offer.PRICING, [], [], [], [], []) == []


@pytest.mark.parametrize("code", sorted(STEPS))
def test_every_code_has_a_next_step(code: str) -> None:
    told = explain({"msg": f"words ({code})", "failure": {"code": code, "details": None}}, "hz-1", WANTED)
    assert told.startswith(f"words ({code}). ")
    assert "{" not in told and len(told) > len(f"words ({code}). ") + 30


def test_a_lack_of_machines_names_the_variables_to_change() -> None:
    told = explain({"msg": "no", "failure": {"code": "resource_unavailable"}}, "hz-1", WANTED)
    assert told == (
        "no. Hetzner has no cx33 at fsn1 now. Set another machine_hcloud_location or machine_hcloud_server_type "
        "for hz-1, or run again later."
    )


def test_fields_of_invalid_input_are_told() -> None:
    details = {"fields": [{"name": "ip", "messages": ["is taken", "is odd"]}]}
    told = explain({"msg": "no", "failure": {"code": "invalid_input", "details": details}}, "hz-1", WANTED)
    assert told.startswith("no. ip: is taken, is odd. Correct what the API names")


def test_an_action_that_failed_and_an_answer_to_uri_are_explained() -> None:
    action = {"error": {"code": "action_failed", "message": "Action failed"}}
    told = explain({"msg": "The pending action failed", "failure": {"action": action}}, "hz-1", WANTED)
    assert told == (
        "The pending action failed. Hetzner did not complete the action. Run again: resources that were created "
        "are found by their labels."
    )
    answer = {"msg": "Status code was 401", "json": {"error": {"code": "unauthorized", "message": "no"}}}
    assert "Hetzner does not accept the token." in explain(answer, "hz-1", {})


def test_of_a_loop_the_first_failure_is_explained() -> None:
    results = [{"msg": "fine"}, {"msg": "no", "failed": True, "failure": {"code": "protected"}}]
    assert explain({"msg": "One or more items failed", "results": results}, "hz-1", WANTED).startswith(
        "no. It is protected"
    )


def test_what_is_no_error_of_the_api_is_told_as_it_is() -> None:
    assert explain({"msg": "there is no token"}, "hz-1", WANTED) == "there is no token"
    assert explain({}, "hz-2", WANTED) == "see the first failure above"


def test_what_hetzner_does_not_offer_is_told_at_once() -> None:
    wanted = {
        "hz-1": {"server_type": "cx32", "location": "fsn2", "image": "debian-31"},
        "hz-2": {"server_type": "cax11", "location": "nbg1", "image": "debian-12"},
        "hz-3": {"server_type": "cx33", "location": "ash", "image": "4711"},
        "hz-4": {"server_type": "cx33", "location": "nbg1", "image": "debian-13"},
    }
    # location_info leaves their network zones out.
    locations = [{"name": one["name"]} for one in offer.LOCATIONS]
    assert list(map(str, unknown(wanted, offer.SERVER_TYPES, locations, offer.IMAGES, "eu-central"))) == [
        "hz-1: machine_hcloud_server_type: Hetzner has no 'cx32'. Did you mean cx33? Known: cax11, cx23, cx33.",
        "hz-1: machine_hcloud_location: Hetzner has no 'fsn2'. Did you mean fsn1? Known: ash, fsn1, nbg1.",
        "hz-1: machine_hcloud_image: Hetzner has no 'debian-31'. Did you mean debian-13? Known: debian-12, debian-13.",
        "hz-2: machine_hcloud_image: Hetzner has no 'debian-12'. Did you mean debian-13? Known: debian-13.",
        "hz-2: machine_hcloud_location: Hetzner has no cax11 at nbg1 now. Set another machine_hcloud_location or "
        "machine_hcloud_server_type, or run again later. Available at: fsn1.",
        "hz-3: machine_hcloud_location: ash is in us-east, the network in eu-central. Set "
        "machine_hcloud_network_zone: us-east, or a location in eu-central.",
    ]
