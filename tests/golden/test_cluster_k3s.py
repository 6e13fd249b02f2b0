# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Every file that role cluster_k3s writes, for the first server, another one and an agent."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as k3s_state

import render

FLAGS = json.loads((Path(__file__).parents[1] / "standins/k3s/flags.json").read_text())
S3 = {"bucket": "snapshots", "endpoint": "s3.example.org", "access_key": "no-secret", "secret_key": "no-secret"}
# As tasks/files.yml has them.
REGISTRIES = "__cluster_k3s_registries | opendata.platform.k3s_registries(mirror.registry) | to_nice_yaml(indent=2)"
SNAPSHOTS = "cluster_k3s_s3 | opendata.platform.k3s_s3 | to_nice_yaml(indent=2)"
CASES = {
    "server-first": ("edge-1", {}, ""),
    "server-second": ("edge-2", {"cluster_k3s_s3": S3}, "https://192.0.2.11:6443"),
    "agent": ("edge-4", {"cluster_k3s_node_ip": "100.64.0.14"}, "https://api.edge.example.org:6443"),
}


def variables(node: str, own: dict[str, Any]) -> dict[str, Any]:
    return {
        "fleet": render.fleet("k3s"),
        "inventory_hostname": node,
        "mirror": {"registry": "http://10.77.0.1:5000", "files": ""},
        **own,
    }


@pytest.mark.parametrize("case", CASES)
def test_files(case: str) -> None:
    node, own, join = CASES[case]
    given = variables(node, own)
    server = case.startswith("server")
    config = render.render("cluster_k3s", "config.yaml.j2", **given)
    texts = {
        "config.yaml": config,
        k3s_state.unit(server): render.render("cluster_k3s", "k3s.service.j2", **given),
        "registries.yaml": str(render.value("cluster_k3s", REGISTRIES, **given)),
        "config.yaml.d/10-cluster.yaml at the first start": k3s_state.cluster_part(join),
        "config.yaml.d/10-cluster.yaml": k3s_state.cluster_part(
            str(render.value("cluster_k3s", "__cluster_k3s_url", **given))
        ),
    }
    if server:
        texts["audit-policy.yaml"] = render.render("cluster_k3s", "audit-policy.yaml.j2", **given)
    if "cluster_k3s_s3" in own:
        texts["config.yaml.d/50-s3.yaml"] = str(render.value("cluster_k3s", SNAPSHOTS, **given))
    for name, text in texts.items():
        render.assert_golden(f"cluster_k3s/{case}/{name}", text)
    keys = set(yaml.safe_load(config)) | set(k3s_state.s3(own.get("cluster_k3s_s3", {})))
    assert keys <= set(FLAGS["server" if server else "agent"])


def test_every_setting_of_s3_is_a_flag_of_k3s() -> None:
    assert set(k3s_state.s3(dict.fromkeys(k3s_state.S3))) <= set(FLAGS["server"])


def test_a_server_without_agents_takes_pods() -> None:
    given = variables("edge-1", {})
    given["fleet"]["clusters"]["edge"]["workers"] = []
    assert "node-taint" not in yaml.safe_load(render.render("cluster_k3s", "config.yaml.j2", **given))


def test_addresses_of_the_servers() -> None:
    assert render.value("cluster_k3s", "__cluster_k3s_addresses", **variables("edge-4", {})) == {
        "edge-1": "192.0.2.11",
        "edge-2": "192.0.2.12",
        "edge-3": "192.0.2.13",
    }
