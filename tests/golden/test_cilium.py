# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The values of Cilium's chart: in containers with locally built images, on virtual machines, in existing clusters."""

import pytest

import render

VIRTUAL = {"container": "", "sys_resource": True}
# Inventory of tests/fixtures/valid, its cluster, where images come from, and what the nodes are.
CASES = {
    "container": ("local", "north", "build", {"container": "systemd-nspawn", "sys_resource": False}),
    "existing": ("existing", "aws", "download", VIRTUAL),
    "kind": ("mesh-of-kind", "east", "download", {}),
    "machines": ("three", "north", "download", VIRTUAL),
    "between-places": ("places", "cloud", "download", VIRTUAL),
}
FOUND = {
    "api": {"host": "ABCD.gr7.eu-central-1.eks.amazonaws.com", "port": 443, "source": "the kubeconfig"},
    "cilium_release": "",
    "ipam": "cluster-pool",
    "nodes": {"ip-10-0-1-2": VIRTUAL, "ip-10-0-2-3": VIRTUAL},
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Name of the case and the text of its values."""
    name, (inventory, cluster, origin, facts) = request.param, CASES[request.param]
    fleet = render.fleet(inventory)
    images = {
        "quay.io/cilium/cilium:v1.20.2": {"origin": origin, "digest": f"sha256:{'a' * 64}"},
        "quay.io/cilium/clustermesh-apiserver:v1.20.2": {"origin": origin, "digest": f"sha256:{'c' * 64}"},
        "quay.io/cilium/operator-generic:v1.20.2": {"origin": origin, "digest": f"sha256:{'b' * 64}"},
    }
    nodes = (
        {} if name == "existing" else {"__cilium_node_facts": dict.fromkeys(fleet["clusters"][cluster]["nodes"], facts)}
    )
    found = {"cluster_found": FOUND} if name == "existing" else {}
    chart = {"cilium_chart": {"version": "1.20.2"}}
    variables = {"fleet": fleet, "artifacts": {"images": images, "files": chart}, "hostvars": {}, **nodes, **found}
    return name, render.render("cilium", "cilium.values.yml.j2", inventory_hostname=cluster, **variables)


def test_values(case: tuple[str, str]) -> None:
    render.assert_golden(f"cilium/{case[0]}.yml", case[1])
