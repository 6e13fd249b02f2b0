# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What peers dial, from Services and nodes."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record.build import endpoint, usable
from hypothesis import given
from hypothesis import strategies as st


def node(name: str, ready: str = "True", **addresses: str) -> dict[str, Any]:
    found = [{"type": kind, "address": address} for kind, address in addresses.items()]
    conditions = [{"type": "Ready", "status": ready, "reason": "KubeletNotReady"}]
    return {"metadata": {"name": name}, "status": {"addresses": found, "conditions": conditions}}


def service(kind: str, ingress: list[dict[str, str]] | None = None, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "metrics", "port": 9962, "nodePort": 30001}, {"name": "apiserver", "port": 2379}]
    ports[1]["nodePort"] = 32379
    return {"spec": {"type": kind, "ports": ports, **spec}, "status": {"loadBalancer": {"ingress": ingress}}}


def test_a_load_balancer() -> None:
    found = endpoint(service("LoadBalancer", [{"ip": "203.0.113.9"}, {"ip": "20.0.0.1"}]), [])
    assert found == {
        "type": "LoadBalancer",
        "ips": ["20.0.0.1", "203.0.113.9"],
        "address": "",
        "port": 2379,
        "source": "Service clustermesh-apiserver",
    }
    named = endpoint(
        service("LoadBalancer", [{"hostname": "b.elb.example.org"}, {"hostname": "a.elb.example.org"}]), []
    )
    assert (named["ips"], named["address"]) == ([], "a.elb.example.org")
    both = endpoint(service("LoadBalancer", [{"hostname": "a.example.org", "ip": "20.0.0.1"}]), [])
    assert (both["ips"], both["address"]) == (["20.0.0.1"], "")
    assert not usable(endpoint(service("LoadBalancer"), []))


def test_a_node_port_names_several_ready_nodes_in_order() -> None:
    nodes = [
        node("c", InternalIP="10.0.0.10", ExternalIP="203.0.113.10"),
        node("a", InternalIP="10.0.0.9"),
        node("b", "False", InternalIP="10.0.0.1"),
        node("d", InternalIP="10.0.0.11"),
        node("e"),
    ]
    found = endpoint(service("NodePort"), nodes, node_count=2)
    assert (found["ips"], found["port"]) == (["10.0.0.9", "10.0.0.10"], 32379)
    assert endpoint(service("NodePort"), nodes, node_address="ExternalIP")["ips"] == ["203.0.113.10"]
    assert not usable(endpoint(service("NodePort"), [node("b", "Unknown", InternalIP="10.0.0.1")]))


def test_a_cluster_ip() -> None:
    found = endpoint(service("ClusterIP", clusterIP="10.96.0.7"), [])
    assert (found["type"], found["ips"], found["port"]) == ("ClusterIP", ["10.96.0.7"], 2379)
    assert endpoint(service("ClusterIP", clusterIP="None"), [])["ips"] == []


def test_no_service() -> None:
    found = endpoint(None, [])
    assert (found["type"], found["source"]) == ("none", "there is no Service clustermesh-apiserver")
    assert not usable(found)


def test_what_is_given_wins() -> None:
    found = endpoint(service("NodePort"), [], {"ips": ["100.64.0.7"], "address": None, "port": 32381})
    assert found == {
        "type": "override",
        "ips": ["100.64.0.7"],
        "address": "",
        "port": 32381,
        "source": "option endpoint",
    }
    assert endpoint(None, [], {"address": "mesh.example.org"})["port"] == 2379


def test_what_is_no_address_says_so() -> None:
    with pytest.raises(ValueError, match=r"'mesh.example.org' does not appear to be an IPv4 or IPv6 address"):
        endpoint(None, [], {"ips": ["mesh.example.org"]})


ADDRESSES = st.lists(st.ip_addresses().map(str), max_size=8, unique=True)


@given(ADDRESSES, st.integers(1, 4), st.randoms())
def test_the_order_of_nodes_means_nothing(addresses: list[str], count: int, random: Any) -> None:
    nodes = [node(f"n{number}", InternalIP=address) for number, address in enumerate(addresses)]
    before = endpoint(service("NodePort"), nodes, node_count=count)
    random.shuffle(nodes)
    assert endpoint(service("NodePort"), nodes, node_count=count) == before
    assert len(before["ips"]) == min(count, len(addresses)) and {*before["ips"]} <= {*addresses}
