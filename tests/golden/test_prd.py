# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The whole of inventories/prd on a machine without any access: all that a run would write, a page for each host.

What needs an answer of a machine or an API has a stand-in here: facts of the nodes, digests, and the state's own keys.
"""

import json
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.hcloud import resources
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as k3s_state

import inventories
import render
import service_examples
from test_cluster_k3s import REGISTRIES
from test_stores import entry

INVENTORY = inventories.load_shipped("prd")
FLEET, FINDINGS = describe(INVENTORY)
FACTS = {"container": "", "sys_resource": True, "kernel": dict.fromkeys(("fq", "geneve", "netkit", "wireguard"), True)}
CHART = {"cilium_chart": {"version": "1.20.2"}}
IMAGES = {
    f"quay.io/cilium/{name}:v1.20.2": {"origin": "download", "digest": f"sha256:{digit * 64}"}
    for name, digit in (("cilium", "a"), ("clustermesh-apiserver", "c"), ("operator-generic", "b"))
}


def page(texts: dict[str, str]) -> str:
    """One text of several files, each below its path."""
    return "\n".join(f"##### {path}\n{text.rstrip()}\n" for path, text in sorted(texts.items()))


def plain(value: Any) -> str:
    """Data as YAML, without the tags that Ansible puts on strings."""
    return yaml.safe_dump(json.loads(json.dumps(value)))


def test_the_inventory_is_sound() -> None:
    assert [str(found) for found in FINDINGS] == []


@pytest.mark.parametrize("node", FLEET["nodes"])
def test_files_of_a_node(node: str) -> None:
    record = FLEET["nodes"][node]
    cluster, server = FLEET["clusters"][record["cluster"]], record["role"] == "control_plane"
    interfaces = {record["address"]: "eth1"}
    given = {
        **INVENTORY.nodes[node],
        "fleet": FLEET,
        "inventory_hostname": node,
        "mirror": {"registry": "", "files": ""},
        "node_facts": {**FACTS, "interfaces": interfaces},
    }
    texts = {
        "/etc/rancher/k3s/config.yaml": render.render("cluster_k3s", "config.yaml.j2", **given),
        "/etc/rancher/k3s/config.yaml.d/10-cluster.yaml": k3s_state.cluster_part(
            str(render.value("cluster_k3s", "__cluster_k3s_url", **given))
        ),
        "/etc/rancher/k3s/registries.yaml": str(render.value("cluster_k3s", REGISTRIES, **given)),
        f"/etc/systemd/system/{k3s_state.unit(server)}": render.render("cluster_k3s", "k3s.service.j2", **given),
        "kernel settings": plain(render.value("node", "__node_sysctls | combine(__node_machine_sysctls)", **given)),
    }
    if server:
        texts["/etc/rancher/k3s/audit-policy.yaml"] = render.render("cluster_k3s", "audit-policy.yaml.j2", **given)
    if server and cluster["virtual_address"]:
        texts["/etc/keepalived/keepalived.conf"] = render.render("virtual_address", "keepalived.conf.j2", **given)
    render.assert_golden(f"prd/nodes/{node}.txt", page(texts))


@pytest.mark.parametrize("cluster", FLEET["clusters"])
def test_objects_of_a_cluster(cluster: str) -> None:
    nodes = FLEET["clusters"][cluster]["nodes"]
    published = {"digest": "", "commit": "1" * 40, "revision": f"main@sha1:{'1' * 40}", "changed": True}
    given = {
        **INVENTORY.clusters[cluster],
        "fleet": FLEET,
        "inventory_hostname": cluster,
        "artifacts": {"images": IMAGES, "files": CHART},
        "mirror": {"registry": "", "files": ""},
        "hostvars": {cluster: {"__flux_published": published}},
        "__cilium_node_facts": dict.fromkeys(nodes, FACTS),
        "__flux_published": published,
        "ansible_play_hosts": [cluster],
    }
    values = yaml.safe_load(render.render("cilium", "cilium.values.yml.j2", **given))
    own = INVENTORY.clusters[cluster].get("cilium_values", {})
    texts = {"values of Cilium": plain({**values, **own})}
    for template in ("cilium", "cilium.kustomization", "source"):
        texts[f"flux {template}"] = render.render("flux", f"{template}.yaml.j2", **given)
    render.assert_golden(f"prd/clusters/{cluster}.txt", page(texts))


def test_services_of_the_cluster_that_has_some() -> None:
    services = FLEET["clusters"]["metal"]["services"]
    names = ("pipelines", "dagster", "sail", "superset", "local-path-provisioner")
    context = service_examples.CONTEXT | {
        "cluster": "metal",
        "domain": FLEET["platform"]["domain"],
        "services": services,
        "source": {"kind": "GitRepository", "prefix": "./clusters/prd/metal"},
        "images": service_examples.IMAGES | {name: f"example.org/{name}:1.2.3" for name in names},
        "waiting": {},
    }
    made = service_examples.manifests([entry(role, context) for role in services], context)
    render.assert_golden("prd/services.txt", page({path: str(text) for path, text in made["files"].items()}))


def test_what_is_made_at_hetzner() -> None:
    operators = INVENTORY.nodes["hetzner-1"]["machine_hcloud_operators"]
    servers = [
        {"ipv4_address": f"203.0.113.{number}", "labels": {"opendata.platform/cluster": "hetzner"}} for number in (1, 2)
    ]
    made = {
        "firewall": resources.firewall_rules(FLEET, "hetzner", operators, servers),
        "load balancers": resources.balancers(FLEET, "opendata-prd"),
    }
    render.assert_golden("prd/hetzner.json", json.dumps(made, indent=2) + "\n")
