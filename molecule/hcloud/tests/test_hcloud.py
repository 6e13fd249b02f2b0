# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the fleet has at the stand-in for Hetzner Cloud."""

import json
import os
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import testinfra.host

testinfra_hosts = ["local://"]
Host = testinfra.host.Host
DIRECTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def there(kind: str) -> list[dict[str, Any]]:
    """Everything of a kind at the stand-in that has a label of the fleet."""
    headers = {"Authorization": f"Bearer {os.environ['HCLOUD_TOKEN']}"}
    query = "label_selector=opendata.platform/fleet%3Dinventory"
    request = urllib.request.Request(f"{os.environ['HCLOUD_ENDPOINT']}/{kind}?{query}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)[kind]


def test_machine_runs_at_its_address() -> None:
    [server] = there("servers")
    assert (server["name"], server["status"]) == ("hz-1", "running")
    assert [net["ip"] for net in server["private_net"]] == ["10.79.2.11"]


def test_network_is_the_fleets_and_the_firewall_is_on_the_machine() -> None:
    [network], [firewall], [server] = there("networks"), there("firewalls"), there("servers")
    assert network["ip_range"] == "10.79.2.0/24"
    assert [one["id"] for one in server["public_net"]["firewalls"]] == [firewall["id"]]


def test_only_operators_reach_ssh_and_only_machines_the_api_besides() -> None:
    [firewall], [server] = there("firewalls"), there("servers")
    ports = {rule["port"]: rule["source_ips"] for rule in firewall["rules"] if rule["protocol"] == "tcp"}
    assert ports["22"] == ["198.51.100.0/24"]
    assert ports["6443"] == ["198.51.100.0/24", f"{server['public_net']['ipv4']['ip']}/32"]


def test_machine_was_made_once() -> None:
    writes = Counter((DIRECTORY / "writes.log").read_text().splitlines())
    assert (writes["POST /v1/servers"], writes["POST /v1/networks"]) == (1, 1)
    assert [line for line in writes if line.startswith("DELETE")] == []


def test_keys_of_the_machine_are_the_users_own(host: Host) -> None:
    assert host.file(str(DIRECTORY / "inventory/.state/hcloud/id_ed25519")).mode == 0o600
