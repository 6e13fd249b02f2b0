# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects of a cluster become its record."""

import hashlib
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight import shape
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record import build
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record import client as record_client
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

import mesh_objects as objects

ALL = ["identity", "network", "endpoint", "tls", "peers", "helm"]
WHERE = {"context": "a", "namespace": "kube-system"}


def raw(**changes: Any) -> dict[str, Any]:
    """Everything that is read of cluster a, altered."""
    found = {each["metadata"]["name"]: each for each in objects.secrets()}
    found |= {"config": objects.config(), "agents": objects.daemon_set(), "apiserver": objects.deployment()}
    found |= {"service": objects.service(), "nodes": [objects.node()], "cilium_nodes": [], "kubeadm": None}
    return {**found, "service_cidr": {"spec": {"cidrs": ["10.101.0.0/16"]}}, "cronjob": None, **changes}


def test_the_whole_record() -> None:
    found = record_client.record(raw(), ALL, WHERE, {})
    leafs = found["tls"].pop("leafs")
    authority = hashlib.sha256(objects.authority(1)[0].public_bytes(Encoding.DER)).hexdigest()
    assert found == {
        "name": "a",
        "id": 1,
        "context": "a",
        "namespace": "kube-system",
        "max_connected_clusters": 255,
        "version": "1.20.2",
        "chart_version": "1.20.2",
        "kvstoremesh": True,
        "datapath": {
            "routing_mode": "tunnel",
            "tunnel_protocol": "vxlan",
            "tunnel_port": 8472,
            "mtu": 0,
            "native_cidr": "",
        },
        "ip_families": ["ipv4"],
        "pod_cidrs": ["10.1.0.0/24"],
        "service_cidrs": ["10.101.0.0/16"],
        "node_ips": ["10.77.0.11"],
        "encryption": {"type": "none", "node": False},
        "kube_proxy_replacement": True,
        "ipam": "kubernetes",
        "policy_default_local_cluster": True,
        "auth_mode": "migration",
        "config_owner": "none",
        "endpoint": {
            "type": "NodePort",
            "ips": ["10.77.0.11"],
            "address": "",
            "port": 32380,
            "source": "Service clustermesh-apiserver and InternalIP of Ready nodes",
        },
        "tls": {"method": "provided", "ca_fingerprints": [authority]},
        "peers": {"b": {"endpoints": ["https://b.mesh.cilium.io:32380"], "ips": ["10.77.0.12"], "managed_by": ""}},
    }
    assert sorted(leafs) == ["admin", "local", "remote", "server"]
    assert (leafs["server"]["sans"], leafs["server"]["issuer"]) == (objects.NAMES, authority)
    assert [leafs[name]["cn"] for name in sorted(leafs)][:3] == ["admin-a", "local-a", "remote"]
    assert leafs["remote"]["not_after"] == "2027-11-24T12:00:00Z"


def test_the_preflight_takes_the_record() -> None:
    assert shape.faults([record_client.record(raw(), ALL, WHERE, {})]) == []


def network(**changes: Any) -> dict[str, Any]:
    return build.network(raw(**changes))


def test_datapaths() -> None:
    native = network(config=objects.config(routing_mode="native", ipv4_native_routing_cidr="10.0.0.0/8", mtu="1280"))
    assert native["datapath"] == {
        "routing_mode": "native",
        "tunnel_protocol": "",
        "tunnel_port": 0,
        "mtu": 1280,
        "native_cidr": "10.0.0.0/8",
    }
    geneve = network(config=objects.config(tunnel_protocol="geneve"))["datapath"]
    assert (geneve["tunnel_protocol"], geneve["tunnel_port"]) == ("geneve", 6081)
    assert network(config=objects.config(tunnel_port="9000"))["datapath"]["tunnel_port"] == 9000


def test_encryption() -> None:
    found = network(config=objects.config(enable_wireguard="true", encrypt_node="true"))
    assert found["encryption"] == {"type": "wireguard", "node": True}
    assert network(config=objects.config(enable_ipsec="true"))["encryption"] == {"type": "ipsec", "node": False}


def test_policies_without_a_setting_are_as_the_version_has_them() -> None:
    config = objects.config(policy_default_local_cluster=None)
    assert network(config=config)["policy_default_local_cluster"]
    older = objects.daemon_set("quay.io/cilium/cilium:v1.18.11@sha256:aa")
    assert not network(config=config, agents=older)["policy_default_local_cluster"]


def kubeadm(subnet: str) -> dict[str, Any]:
    return {"data": {"ClusterConfiguration": yaml.safe_dump({"networking": {"podSubnet": subnet}})}}


def cilium_node(*cidrs: str) -> dict[str, Any]:
    return {"spec": {"ipam": {"podCIDRs": [*cidrs]}}}


@pytest.mark.parametrize(
    ("ipam", "changes", "cidrs"),
    [
        ("kubernetes", {"kubeadm": kubeadm("10.1.0.0/16,fd00:1::/56")}, ["10.1.0.0/16", "fd00:1::/56"]),
        ("kubernetes", {"kubeadm": kubeadm("10.9.0.0/16")}, ["10.1.0.0/24", "10.9.0.0/16"]),
        ("kubernetes", {"cilium_nodes": [cilium_node("10.1.1.0/24")]}, ["10.1.0.0/23"]),
        ("cluster-pool", {"kubeadm": kubeadm("10.1.0.0/16")}, ["10.50.0.0/16", "10.60.0.0/16"]),
        ("eni", {"cilium_nodes": [cilium_node("172.31.5.0/24")]}, ["10.50.0.0/16", "10.60.0.0/16", "172.31.5.0/24"]),
    ],
)
def test_pod_ranges(ipam: str, changes: dict[str, Any], cidrs: list[str]) -> None:
    pools = {"cluster_pool_ipv4_cidr": "10.50.0.0/16 10.60.0.0/16"} if ipam != "kubernetes" else {}
    assert network(config=objects.config(ipam=ipam, **pools), **changes)["pod_cidrs"] == cidrs


BASE = raw()


@given(st.permutations([f"10.1.{number}.0/24" for number in range(8)]))
def test_the_order_of_nodes_means_nothing(cidrs: list[str]) -> None:
    nodes = [objects.node(f"n{n}", f"10.77.0.{20 + n}", cidr) for n, cidr in enumerate(sorted(cidrs))]
    shuffled = [nodes[int(cidr.split(".")[2])] for cidr in cidrs]
    assert build.network(BASE | {"nodes": shuffled}) == build.network(BASE | {"nodes": nodes})


def test_versions() -> None:
    digest = objects.daemon_set("quay.io/cilium/cilium@sha256:aa")
    assert build.identity(raw(agents=digest))["version"] == "1.20.2"
    del digest["metadata"]["labels"]["helm.sh/chart"]
    with pytest.raises(ValueError, match="the version of Cilium is unknown: the image of DaemonSet cilium has no"):
        build.identity(raw(agents=digest))
    with pytest.raises(ValueError, match="cluster-id of ConfigMap cilium-config is no number but 'one'"):
        build.identity(raw(config=objects.config(cluster_id="one")))


def test_a_cluster_without_identity_has_the_defaults() -> None:
    config = objects.config(cluster_name=None, cluster_id="0", max_connected_clusters=None)
    found = build.identity(raw(config=config, apiserver=None))
    assert (found["name"], found["id"], found["max_connected_clusters"], found["kvstoremesh"]) == (
        "default",
        0,
        255,
        False,
    )


def test_auth_modes() -> None:
    legacy = objects.deployment()
    legacy["spec"]["template"]["spec"]["containers"][1]["args"].remove("--cluster-users-enabled")
    assert build.auth_mode(raw(apiserver=legacy), "remote-a") == "legacy"
    assert build.auth_mode(raw(), "remote") == "migration"
    assert build.auth_mode(raw(), "remote-a") == "cluster"
    assert build.auth_mode(raw(apiserver=None), "remote-a") == "migration"


def peers(**changes: Any) -> dict[str, Any]:
    return dict(build.peers(raw(**changes))["peers"])


def test_peers_without_kvstoremesh_are_the_agents_own() -> None:
    plain = objects.deployment()
    plain["spec"]["template"]["spec"]["containers"].pop()
    agents = objects.daemon_set()
    agents["spec"]["template"]["spec"]["hostAliases"] = [{"ip": "10.77.0.12", "hostnames": ["b.mesh.cilium.io"]}]
    entry = objects.ENTRY.partition("cilium-host-aliases")[0]
    found = peers(
        apiserver=plain, agents=agents, **{"cilium-clustermesh": objects.secret("cilium-clustermesh", {"b": entry})}
    )
    assert found == {"b": {"endpoints": ["https://b.mesh.cilium.io:32380"], "ips": ["10.77.0.12"], "managed_by": ""}}


def test_what_is_no_peer() -> None:
    data = {"a": objects.ENTRY, "b.etcd-client-ca.crt": "PEM", "broken": "endpoints: [", "text": "endpoints: x: y"}
    entries = objects.secret("cilium-kvstoremesh", data)
    none = {"endpoints": [], "ips": [], "managed_by": ""}
    assert peers(**{"cilium-kvstoremesh": entries, "cilium-clustermesh": None}) == {"broken": none, "text": none}


def test_a_peer_that_only_agents_know_leads_nowhere() -> None:
    assert peers(**{"cilium-kvstoremesh": None})["b"]["endpoints"] == []


def managed(manager: str) -> dict[str, Any]:
    item = objects.secret("cilium-clustermesh", {"b": objects.LOCAL})
    fields = {"f:data": {".": {}, "f:b": {}}}
    item["metadata"]["managedFields"] = [{"manager": manager, "operation": "Apply", "fieldsV1": fields}]
    return item


@pytest.mark.parametrize(
    ("labels", "annotations", "owner"),
    [
        ({}, {}, "module"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, "helm"),
        ({"app.kubernetes.io/managed-by": "Helm", "helm.toolkit.fluxcd.io/name": "cilium"}, {}, "flux"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {"argocd.argoproj.io/tracking-id": "x"}, "argocd"),
    ],
)
def test_owners(labels: dict[str, str], annotations: dict[str, str], owner: str) -> None:
    item = managed("cilium-clustermesh-ansible")
    item["metadata"] |= {"labels": labels, "annotations": annotations}
    assert build.helm(raw(**{"cilium-clustermesh": item}))["config_owner"] == owner
    assert build.helm(raw(**{"cilium-clustermesh": managed("kubectl")}))["config_owner"] == "none"


def test_managers_of_an_entry() -> None:
    item = managed("helm")
    item["metadata"]["name"] = "cilium-kvstoremesh"
    assert peers(**{"cilium-kvstoremesh": item})["b"]["managed_by"] == "helm"


def tls(**changes: Any) -> dict[str, Any]:
    return build.tls(raw(**changes), False, objects.NOW)


def test_a_leaf_of_another_authority_has_no_issuer() -> None:
    name = "clustermesh-apiserver-local-cert"
    assert tls(**{name: objects.tls_secret("local", "local-a", signer=2)})["leafs"]["local"]["issuer"] == ""
    both = objects.tls_secret("remote", "remote")
    bundle = objects.pem(objects.authority(2)[0], objects.authority(1)[0])
    both["data"] |= objects.secret("x", {"ca.crt": bundle})["data"]
    found = tls(**{name: objects.tls_secret("local", "local-a", signer=2), "clustermesh-apiserver-remote-cert": both})
    second = certificates.fingerprint(objects.authority(2)[0])
    assert found["leafs"]["local"]["issuer"] == second
    assert found["ca_fingerprints"] == sorted([second, certificates.fingerprint(objects.authority(1)[0])])


@pytest.mark.parametrize(("days", "left"), [(365, 365), (0, 0), (-1, -1)])
def test_days(days: int, left: int) -> None:
    item = objects.tls_secret("admin", "admin-a", days=max(days, 0))
    now = objects.NOW - min(days, 0) * (objects.datetime.timedelta(days=1))
    found = build.tls({"clustermesh-apiserver-admin-cert": item}, False, now)
    assert found["leafs"]["admin"]["days_left"] == left


def test_a_leaf_with_a_broken_extension_has_no_names() -> None:
    ca = certificates.make_authority("Cilium CA", 365, objects.NOW)
    pair = certificates.issue("remote-a", ["remote-a"], [], ca, 1, objects.NOW)  # an empty list of purposes
    item = objects.secret("clustermesh-apiserver-remote-cert", {"ca.crt": ca.cert, "tls.crt": pair.cert})
    leaf = tls(**{"clustermesh-apiserver-remote-cert": item})["leafs"]["remote"]
    assert (leaf["cn"], leaf["sans"], leaf["days_left"]) == ("remote-a", [], 1)


def test_what_is_missing_or_broken_is_no_leaf() -> None:
    broken = objects.secret("clustermesh-apiserver-admin-cert", {"tls.crt": "no certificate"})
    found = tls(**{"clustermesh-apiserver-admin-cert": broken, "clustermesh-apiserver-local-cert": None})
    assert sorted(found["leafs"]) == ["remote", "server"]
    assert build.tls({}, False, objects.NOW) == {"method": "none", "ca_fingerprints": [], "leafs": {}}


@pytest.mark.parametrize(
    ("metadata", "cronjob", "method"),
    [
        ({"annotations": {"cert-manager.io/certificate-name": "x"}}, False, "certmanager"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False, "helm"),
        ({}, True, "cronJob"),
        ({}, False, "provided"),
    ],
)
def test_methods(metadata: dict[str, Any], cronjob: bool, method: str) -> None:
    item = objects.tls_secret("server", "x")
    item["metadata"] |= metadata
    assert build.tls({"clustermesh-apiserver-server-cert": item}, cronjob, objects.NOW)["method"] == method
