# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_info against a real API server; the kubelet behind it is a stand-in with real outputs."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record import client as record_client
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import tls

import mesh_objects as objects
from api_server import ApiServer
from stand_in_kubelet import stand_in_kubelet

pytestmark = pytest.mark.usefixtures("daemon_sets")

Run = Callable[..., dict[str, Any]]
SYSTEM = "/api/v1/namespaces/kube-system"
APPS = "/apis/apps/v1/namespaces/kube-system"
PATHS = {
    "ConfigMap": f"{SYSTEM}/configmaps",
    "Secret": f"{SYSTEM}/secrets",
    "Service": f"{SYSTEM}/services",
    "Pod": f"{SYSTEM}/pods",
    "Node": "/api/v1/nodes",
    "DaemonSet": f"{APPS}/daemonsets",
    "Deployment": f"{APPS}/deployments",
}
PATCH = "application/merge-patch+json"


class Mesh:
    """Cluster a on the API server, and what its pods say: by command, "nodes" or the name of a container's command."""

    def __init__(self, server: ApiServer) -> None:
        self.api = Cluster(str(server.kubeconfig))
        self.kubeconfig = str(server.kubeconfig)
        self.said: dict[str, tuple[str, str, int] | tuple[int, str]] = {}
        self.made: list[str] = []

    def answer(self, command: list[str]) -> tuple[str, str, int] | tuple[int, str]:
        special = [name for word, name in (("troubleshoot", "troubleshoot"), ("node", "nodes")) if word in command]
        return self.said[special[0] if special else command[0].rpartition("/")[2]]

    def says(self, agent: str, kvstoremesh: str, nodes: str = "[]") -> None:
        self.said = {
            "cilium-dbg": (agent, "", 0),
            "clustermesh-apiserver": (kvstoremesh, "", 0),
            "nodes": (nodes, "", 0),
            "timeout": ("10.77.0.12/4240\n10.2.0.94/4240\n", "", 0),
        }

    def make(self, item: dict[str, Any]) -> None:
        path, name = PATHS[item["kind"]], item["metadata"]["name"]
        self.api.request("POST", path, body={key: value for key, value in item.items() if key != "status"})
        self.made.append(f"{path}/{name}")
        if item.get("status"):
            self.status(f"{path}/{name}", item["status"])

    def status(self, path: str, status: dict[str, Any]) -> None:
        self.api.request("PATCH", f"{path}/status", body={"status": status}, content_type=PATCH)

    def pod(self, name: str, app: str, container: str) -> None:
        containers = [{"name": container, "image": "x"}]
        metadata = {"name": name, "namespace": "kube-system", "labels": {"k8s-app": app}}
        spec = {"nodeName": "a", "containers": containers, "terminationGracePeriodSeconds": 0}
        item = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self.make({**item, "status": {"phase": "Running"}})

    def remove(self) -> None:
        for path in reversed(self.made):
            if self.api.get(path):
                self.api.request("DELETE", path, {"gracePeriodSeconds": 0})


@pytest.fixture
def mesh(server: ApiServer, tmp_path: Path) -> Iterator[Mesh]:
    """Cluster a, complete, with one agent and one clustermesh-apiserver that see nothing yet."""
    found = Mesh(server)
    found.says("{}", "[]")
    try:
        found.api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "kube-system"}})
    except ApiError as error:
        if error.status != 409:
            raise
    with stand_in_kubelet(tmp_path, found.answer) as port:
        node = objects.node()
        node["status"]["addresses"].append({"type": "ExternalIP", "address": "127.0.0.1"})
        node["status"]["daemonEndpoints"] = {"kubeletEndpoint": {"Port": port}}
        # The API server takes the Hostname first, and that is where the stand-in is.
        node["status"]["addresses"][1]["address"] = "127.0.0.1"
        for item in [node, objects.config(), objects.daemon_set(), objects.service()]:
            found.make(item)
        found.make({**objects.deployment(), "status": None})
        for item in objects.secrets():
            found.make(item)
        found.pod("cilium-x", "cilium", "cilium-agent")
        found.pod("mesh-x", "clustermesh-apiserver", "kvstoremesh")
        yield found
        found.remove()


def text(name: str) -> str:
    return (objects.FIXTURES / name).read_text()


READY = (text("a-agent-status-ready.json"), text("a-kvstoremesh-ready.json"))
EXPECT = [{"name": "a", "id": 1}, {"name": "b", "id": 2}]


def nodes(peer: str) -> str:
    return json.dumps([{**json.loads(text("north-nodes.json"))[1], "name": f"{peer}/{peer}"}])


def test_the_record_of_a_real_api_server(mesh: Mesh, run: Run) -> None:
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig)
    found = result["cluster"]
    assert (found["name"], found["id"], found["version"]) == ("a", 1, "1.20.2")
    assert found["context"] == f"current context of {mesh.kubeconfig}"
    assert found["endpoint"]["ips"] == ["10.77.0.11"] and found["endpoint"]["port"] == 32380
    assert found["service_cidrs"] == ["10.250.0.0/24"]
    assert found["pod_cidrs"] == ["10.1.0.0/24"]
    assert list(found["peers"]) == ["b"] and found["peers"]["b"]["managed_by"]
    assert sorted(found["tls"]["leafs"]) == ["admin", "local", "remote", "server"]
    assert "status" not in found and result["reasons"] == [] and not result.get("changed")


def test_keys_are_dropped_when_they_are_read(mesh: Mesh) -> None:
    coded = objects.tls_secret("server", "x")["data"]["tls.key"]
    assert coded in json.dumps(mesh.api.get(f"{SYSTEM}/secrets/clustermesh-apiserver-server-cert"))
    found = json.dumps(record_client.fetch(mesh.api, "kube-system", record_client.SOURCES))
    assert "clustermesh-apiserver-server-cert" in found and coded not in found


def test_nothing_is_written(mesh: Mesh, run: Run, server: ApiServer) -> None:
    before = len(server.writes())
    run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig)
    assert len(server.writes()) == before


def test_only_what_is_wanted_is_read(mesh: Mesh, run: Run, server: ApiServer) -> None:
    before = len(server.requests())
    found = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, gather=["network"])["cluster"]
    assert "datapath" in found and not {"tls", "peers", "endpoint"} & {*found}
    events = server.requests()[before:]
    assert not [event for event in events if event.get("objectRef", {}).get("resource") == "secrets"]


def test_status_and_traffic_through_the_kubelet(mesh: Mesh, run: Run) -> None:
    mesh.says(*READY, nodes("b"))
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, gather=["peers", "status", "traffic"])
    found = result["cluster"]
    assert found["status"] == {
        "agents": {"total": 1, "ready": 1},
        "kvstoremesh": {"b": True},
        "clusters": {"b": {"ready": True, "cluster_id": 2, "nodes": 1, "endpoints": 2, "services": 1, "error": ""}},
    }
    assert found["traffic"] == {"b": {"reachable": True, "reason": ""}}


ROLLED_OUT = {"observedGeneration": 9, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}


def later(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_waiting_ends_soon_after_all_is_so(mesh: Mesh, run: Run) -> None:
    start = time.monotonic()
    rollout = later(0.5, lambda: mesh.status(f"{APPS}/deployments/clustermesh-apiserver", ROLLED_OUT))
    sight = later(2, lambda: mesh.says(*READY, nodes("b")))
    waits = ["endpoint", "deployment", "kvstoremesh", "agents", "node_count", "traffic"]
    wanted = {"wait": True, "wait_for": waits, "wait_timeout": 60, "expect": EXPECT}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted)
    rollout.join()
    sight.join()
    assert result["reasons"] == [] and not result.get("failed"), result
    assert 2 < time.monotonic() - start < 20


def test_waiting_in_vain_says_all_that_is_missing(mesh: Mesh, run: Run) -> None:
    mesh.api.request("DELETE", f"{SYSTEM}/services/clustermesh-apiserver")
    mesh.make(objects.service("LoadBalancer"))
    mesh.says(text("a-agent-draining.json"), text("a-kvstoremesh-draining.json"))
    waits = ["endpoint", "deployment", "kvstoremesh", "agents", "traffic"]
    wanted = {"wait": True, "wait_for": waits, "wait_timeout": 1, "expect": EXPECT}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted)
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "After 1 s this is still missing:",
        "cluster a: clustermesh-apiserver: its last change has not been taken up",
        "cluster a: Service clustermesh-apiserver has no address that peers can dial",
        "cluster a, peer b: KVStoreMesh mesh-x: does not know this peer: "
        "the kubelet has not refreshed the Secret, or the drain grace period goes on",
        "cluster a, peer b: agent cilium-x: connected, but its cluster configuration has not arrived",
        "cluster a, peer b: traffic: no node of it is known",
    ]
    assert run("cilium_clustermesh_info", check=True, kubeconfig=mesh.kubeconfig, **wanted).get("failed") is None


PEER = {**EXPECT[1], "endpoint": {"type": "NodePort", "ips": ["10.77.0.12", "fd00::12"], "address": "", "port": 32380}}


def test_waiting_until_a_peer_takes_connections(mesh: Mesh, run: Run) -> None:
    wanted = {"gather": ["reach"], "expect": [EXPECT[0] | {"endpoint": {}}, PEER], "wait": True, "wait_for": ["reach"]}
    failed = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, wait_timeout=1)
    why = "no connection to 10.77.0.12:32380, [fd00::12]:32380 within 3 s"
    assert failed["msg"] == f"After 1 s this is still missing:\ncluster a, peer b: endpoint: {why}"
    assert failed["cluster"]["reach"] == {"b": {"reachable": False, "reason": why}}
    answer = later(1, lambda: mesh.said.update(timeout=("10.77.0.12/32380\n", "", 0)))
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, wait_timeout=60)
    answer.join()
    assert result["cluster"]["reach"] == {"b": {"reachable": True, "reason": ""}} and not result.get("failed")


CAS = [objects.pem(objects.authority(number)[0]) for number in (1, 2)]


def shaken(peer: str, *trusted: str, signer: str) -> str:
    """The fixture's handshakes with its peer called otherwise, other CAs trusted, and another signer."""
    found = tls.wanted("".join(trusted), signer)
    serial, key = "1a:45:65:5e:be:69:db:69:7d:2e:08:49:ae:ba:0a:1f:c1:ed:9e:39", f"{found.signer:040x}"
    lines = text("south-troubleshoot.txt").replace('Cluster "north"', f'Cluster "{peer}"')
    lines = lines.replace("29:7f:21:d1:3d:4a:c6:74:0b:83:2e:fc:b1:44:ac:d0:1b:f5:bd:dc", key)
    own = f"      - Serial number:       {serial}\n"
    return lines.replace(own, "".join(own.replace(serial, f"{number:02x}") for number in found.trusted))


def test_waiting_until_pods_trust_the_bundle_and_read_it(mesh: Mesh, run: Run) -> None:
    mesh.says(*READY)
    mesh.said["troubleshoot"] = (shaken("b", CAS[0], signer=CAS[0]), "", 0)
    mesh.said["grep"] = ("/var/lib/cilium/clustermesh/b\n", "", 0)
    wanted = {"wait": True, "wait_for": ["bundle"], "expect": EXPECT, "gather": ["identity"]}
    wanted |= {"ca_bundle": "".join(CAS), "ca_cert": CAS[1], "ca_fingerprint": "f" * 64}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, wait_timeout=0)
    second = tls.wanted(CAS[1], CAS[1]).trusted[2][:16]
    assert result["failed"] and result["msg"].splitlines() == [
        "After 0 s this is still missing:",
        f"cluster a: KVStoreMesh mesh-x, its own etcd: its mounted CA file lacks {second}",
        f"cluster a: KVStoreMesh mesh-x, peer b: its mounted CA file lacks {second}",
        f"cluster a: agent cilium-x, its own etcd: its mounted CA file lacks {second}",
        f"cluster a: agent cilium-x, peer b: its mounted CA file lacks {second}",
    ]
    mesh.said["troubleshoot"] = (shaken("b", *CAS, signer=CAS[1]), "", 0)
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, wait_timeout=0)
    stale = "cluster a: agent cilium-x, peer b: its mounted entry is the one from before"
    assert result["msg"].splitlines() == ["After 0 s this is still missing:", stale]
    timer = later(1, lambda: mesh.said.update(grep=("", "", 1)))
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, wait_timeout=30)
    timer.join()
    assert not result.get("failed"), result


def test_an_agent_that_cannot_shake_hands(mesh: Mesh, run: Run) -> None:
    mesh.says(*READY)
    mesh.said["troubleshoot"] = ("", 'unknown command "troubleshoot"', 1)
    wanted = {"wait": True, "wait_for": ["bundle"], "wait_timeout": 0, "ca_bundle": CAS[0], "ca_cert": CAS[0]}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, expect=EXPECT)
    assert result["reasons"] == [
        'cluster a: KVStoreMesh mesh-x: unknown command "troubleshoot"',
        'cluster a: agent cilium-x: unknown command "troubleshoot"',
    ]


def test_an_address_that_comes_later_is_watched_for(mesh: Mesh, run: Run) -> None:
    mesh.api.request("DELETE", f"{SYSTEM}/services/clustermesh-apiserver")
    mesh.make(objects.service("LoadBalancer"))
    given = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}
    timer = later(1, lambda: mesh.status(f"{SYSTEM}/services/clustermesh-apiserver", given))
    wanted = {"wait": True, "wait_for": ["endpoint"], "wait_timeout": 60}
    found = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted)["cluster"]
    timer.join()
    assert found["endpoint"]["ips"] == ["203.0.113.9"] and found["endpoint"]["port"] == 2379


def test_an_agent_that_cannot_be_asked(mesh: Mesh, run: Run) -> None:
    mesh.says("", text("a-kvstoremesh-ready.json"))
    mesh.said["cilium-dbg"] = ("", "Cannot get status: is the agent running?", 1)
    wanted = {"gather": ["status"], "expect": EXPECT}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted)
    assert result["reasons"] == ["cluster a: agent cilium-x: Cannot get status: is the agent running?"]
    assert result["cluster"]["status"]["agents"] == {"total": 1, "ready": 0}
    assert run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **wanted, max_unready_agents=1)["reasons"] == []


def test_an_old_kvstoremesh_is_not_held_against_it(mesh: Mesh, run: Run) -> None:
    mesh.says(*READY)
    mesh.said["clustermesh-apiserver"] = ("", 'Error: unknown command "kvstoremesh-dbg" for "clustermesh-apiserver"', 1)
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, gather=["status"], expect=EXPECT)
    assert result["reasons"] == [] and result["cluster"]["status"]["kvstoremesh"] == {}


def test_what_is_given_as_endpoint_needs_no_waiting(mesh: Mesh, run: Run) -> None:
    mesh.api.request("DELETE", f"{SYSTEM}/services/clustermesh-apiserver")
    given = {"endpoint": {"address": "mesh.example.org"}, "wait": True, "wait_for": ["endpoint"], "wait_timeout": 30}
    result = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, **given)
    assert not result.get("failed"), result
    found = result["cluster"]["endpoint"]
    assert (found["type"], found["address"], found["port"]) == ("override", "mesh.example.org", 2379)


def test_all_missing_rights_are_reported_at_once(mesh: Mesh, run: Run, tmp_path: Path) -> None:
    config = Path(mesh.kubeconfig).read_text()
    # Without a name the API server takes whoever asks for anonymous, who may read nothing.
    (tmp_path / "config").write_text(config.replace("token: secret", "{}").replace("user:\n    {}", "user: {}"))
    failed = run("cilium_clustermesh_info", kubeconfig=str(tmp_path / "config"), gather=["tls", "network"])
    assert failed["failed"]
    for what in ("configmaps/cilium-config", "clustermesh-apiserver-local-cert", "nodes", "ciliumnodes"):
        assert f"{what}: " in failed["msg"], failed["msg"]


def test_no_cilium(run: Run, server: ApiServer) -> None:
    wanted = {"kubeconfig": str(server.kubeconfig), "namespace": "elsewhere"}
    failed = run("cilium_clustermesh_info", **wanted)
    context = f"current context of {server.kubeconfig}"
    assert failed["failed"] and failed["msg"] == (
        f"There is no Cilium in namespace elsewhere of https://127.0.0.1:{server.port} ({context}): "
        "install it first, or set namespace."
    )
    assert run("cilium_clustermesh_info", check=True, **wanted)["cluster"] == {}


def test_an_endpoint_that_is_no_address(run: Run, mesh: Mesh) -> None:
    failed = run("cilium_clustermesh_info", kubeconfig=mesh.kubeconfig, endpoint={"ips": ["mesh.example.org"]})
    assert failed["msg"] == "'mesh.example.org' does not appear to be an IPv4 or IPv6 address."
