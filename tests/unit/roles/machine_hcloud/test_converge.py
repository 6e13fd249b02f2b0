# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From nothing to two servers at the stand-in, again without a change, and what was altered there is mended."""

import json
from typing import Any

import pytest
import yaml

from standins.hcloud import contract
from standins.hcloud.server import Fault

API = "203.0.113.201"
MINE = {"opendata.platform/fleet": "prd", "opendata.platform/cluster": "hz"}


def post(site: Any, path: str) -> dict[str, Any]:
    """The body of the one request to a path."""
    [found] = [one for one in site.stand_in.exchanges if one.method == "POST" and one.path == f"/v1/{path}"]
    return json.loads(found.body)


def test_exchanges_are_checked_against_the_contract(site: Any) -> None:
    network = {"name": "n", "ip_range": "10.0.0.0/16"}
    good = site.stand_in.exchange("POST", "/v1/networks", {}, site.headers, json.dumps(network).encode())
    assert contract.findings([good]) == []
    nameless = good.__class__(**{**good.__dict__, "body": b'{"ip_range": "10.0.0.0/16"}'})
    assert "'name' is a required property" in contract.finding(nameless)
    answer = json.loads(good.answer)
    del answer["network"]["subnets"]
    assert "'subnets' is a required property" in contract.finding(
        good.__class__(**{**good.__dict__, "answer": json.dumps(answer).encode()})
    )


@pytest.mark.timeout(1200)
def test_converge(site: Any) -> None:
    world = site.stand_in.world
    site.add("hz-1", "10.78.0.11")
    site.add("hz-2", "10.78.0.12")

    planned = site.run("--check", "--diff")
    assert planned.code == 0, planned.text[-5000:]
    assert '"create hz-1: cx33, debian-13 at fsn1, 10.78.0.11",' in planned.text
    assert "hz-1 planned=True host=hz-1" in planned.text
    assert planned.changed > 4
    assert site.stand_in.writes() == []
    assert not (site.directory / ".state/hcloud").exists()

    # The client rides these out; an action takes two looks.
    world.polls = 2
    site.stand_in.faults = [
        Fault("POST", "/servers$", 409, "conflict", "conflict", times=1),
        Fault("GET", "/networks", 429, "rate_limit_exceeded", "limit of 3600 requests per hour reached", times=2),
    ]
    # A page more than one holds, of somebody else.
    for number in range(55):
        world.add_volume(f"other-{number}", 10)
    made = site.run()
    assert made.code == 0, made.text[-5000:]
    assert "hz-2 planned=False host=203.0.113." in made.text
    assert [fault.times for fault in site.stand_in.faults] == [0, 0]
    check_world(site)

    start = len(site.stand_in.exchanges)
    again = site.run()
    assert (again.code, again.changed) == (0, 0), again.text[-5000:]
    assert site.stand_in.writes(start) == []

    alter(world)
    start = len(site.stand_in.exchanges)
    mended = site.run()
    assert mended.code == 0, mended.text[-5000:]
    assert '"change hz-1: name renamed -> hz-1, labels, started",' in mended.text
    check_world(site)
    network = world.by_name("networks", "opendata-prd")
    server, wall = world.by_name("servers", "hz-1"), world.by_name("firewalls", "opendata-prd-hz")
    assert site.stand_in.writes(start) == [
        f"POST /v1/firewalls/{wall['id']}/actions/set_rules",
        f"PUT /v1/servers/{server['id']}",
        f"POST /v1/servers/{server['id']}/actions/poweron",
    ]
    assert sorted(network["servers"]) == sorted(one["id"] for one in world.things["servers"].values())


def alter(world: Any) -> None:
    """What somebody does by hand."""
    server = world.by_name("servers", "hz-1")
    server |= {"name": "renamed", "status": "off", "labels": {**server["labels"], "opendata.platform/role": "agent"}}
    world.by_name("firewalls", "opendata-prd-hz")["rules"].pop()


def check_world(site: Any) -> None:
    """The project is as the inventory wants it."""
    world = site.stand_in.world
    network = world.by_name("networks", "opendata-prd")
    assert (network["ip_range"], network["labels"]) == ("10.78.0.0/16", {"opendata.platform/fleet": "prd"})
    subnets = [(one["ip_range"], one["type"], one["network_zone"]) for one in network["subnets"]]
    assert subnets == [("10.78.0.0/17", "cloud", "eu-central"), ("10.78.128.0/17", "cloud", "eu-central")]
    wall = world.by_name("firewalls", "opendata-prd-hz")
    own = sorted(one["public_net"]["ipv4"]["ip"] + "/32" for one in world.things["servers"].values())
    rules = {(one["protocol"], one["port"]): one["source_ips"] for one in wall["rules"]}
    assert rules == {("tcp", "22"): ["198.51.100.0/24"], ("tcp", "6443"): ["198.51.100.0/24", *own]}
    for name, address in (("hz-1", "10.78.0.11"), ("hz-2", "10.78.0.12")):
        server = world.by_name("servers", name)
        assert [net["ip"] for net in server["private_net"]] == [address]
        assert server["labels"] == {**MINE, "opendata.platform/role": "server", "opendata.platform/node": name}
        assert (server["status"], server["placement_group"]["name"]) == ("running", "opendata-prd-hz")
        assert [one["id"] for one in server["public_net"]["firewalls"]] == [wall["id"]]
        check_user_data(site, name)
    balancer = world.by_name("load_balancers", "opendata-prd-hz-api")
    [target] = balancer["targets"]
    assert target["label_selector"]["selector"] == ",".join(
        f"{key}={value}" for key, value in {**MINE, "opendata.platform/role": "server"}.items()
    )
    assert [(one["listen_port"], one["destination_port"]) for one in balancer["services"]] == [(6443, 6443)]
    assert balancer["private_net"][0]["ip"].startswith("10.78.128.")


def check_user_data(site: Any, name: str) -> None:
    """The machine gets the host key that known_hosts has under the machine's name, and SSH asks for that name."""
    data = yaml.safe_load(site.stand_in.world.user_data[name])
    keys = site.directory / ".state/hcloud"
    assert data["ssh_keys"]["ed25519_private"] == (keys / "hosts" / name).read_text()
    kind, key = data["ssh_keys"]["ed25519_public"].split()[:2]
    assert f"{name},10.78.0.1{name[-1]} {kind} {key}\n" in (keys / "known_hosts").read_text()
    address = site.stand_in.world.by_name("servers", name)["public_net"]["ipv4"]["ip"]
    calls = [line for line in site.ssh_log.read_text().splitlines() if f" {address} " in line]
    assert calls
    for call in calls:
        assert f"HostKeyAlias={name}" in call and f"UserKnownHostsFile={keys}/known_hosts" in call
        assert "StrictHostKeyChecking=yes" in call
