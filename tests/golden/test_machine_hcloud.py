# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The firewall and the user data of machines at Hetzner Cloud, and the table of ports that pages show."""

import json
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.cloud.ports import port_table
from ansible_collections.opendata.platform.plugins.module_utils.hcloud.resources import balancers, firewall_rules

import render

SERVERS = [
    {"ipv4_address": f"203.0.113.{number}", "labels": {"opendata.platform/cluster": "hz"}} for number in (1, 2, 3, 4)
]


def test_firewall_of_a_meshed_cluster() -> None:
    rules = firewall_rules(render.fleet("hcloud"), "hz", ["198.51.100.0/24"], SERVERS)
    render.assert_golden("machine_hcloud/firewall.json", json.dumps(rules, indent=2) + "\n")


def test_load_balancers() -> None:
    found = balancers(render.fleet("hcloud"), "opendata-hcloud")
    render.assert_golden("machine_hcloud/balancers.json", json.dumps(found, indent=2) + "\n")


def test_user_data(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    key = "-----BEGIN KEY-----\nonly for this test\n-----END KEY-----\n"
    (tmp_path / "hosts/hz-1").write_text(key)
    (tmp_path / "hosts/hz-1.pub").write_text("ssh-ed25519 AAAA hz-1\n")
    text = render.render(
        "machine_hcloud", "user_data.yaml.j2", inventory_hostname="hz-1", __machine_hcloud_keys=str(tmp_path)
    )
    render.assert_golden("machine_hcloud/user_data.yaml", text)


def test_table_of_ports() -> None:
    render.assert_golden("machine_hcloud/ports.md", port_table())
