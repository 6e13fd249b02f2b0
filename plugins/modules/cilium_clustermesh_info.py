# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read the mesh record and status of a cluster in a Cilium Cluster Mesh."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh_info
short_description: Read the state of a cluster in a Cilium Cluster Mesh, or wait for its peers
description:
  - Returns a record of the cluster's identity, network, endpoint, certificates and peers. Changes nothing.
  - M(opendata.platform.cilium_clustermesh_preflight) and M(opendata.platform.cilium_clustermesh) take the records of
    all clusters.
  - Reads the status of all peers from the agents and KVStoreMesh, and can wait until they are connected.
  - Private keys are discarded when they are read.
options:
  gather:
    description:
      - Parts of the record. Identity is always read.
      - V(tls) and V(peers) require permission to read Secrets, V(status) and V(traffic) to run commands in pods.
      - V(traffic) probes nodes of the peers, and pods on them, from one agent; V(reach) connects to the endpoint of
        each record in O(expect).
    type: list
    elements: str
    choices: [identity, network, endpoint, tls, peers, helm, status, traffic, reach]
    default: [identity, network, endpoint, tls, peers, helm]
  endpoint:
    description: Endpoint at which peers connect to this cluster, instead of its Service's. Set either ips or address.
    type: dict
    suboptions:
      ips: {description: IP addresses., type: list, elements: str}
      address: {description: DNS name or IP address that the server certificate contains., type: str}
      port: {description: Port., type: int, default: 2379}
  node_address:
    description: Type of the node addresses that peers connect to if the Service is a NodePort.
    type: str
    choices: [InternalIP, ExternalIP]
    default: InternalIP
  node_count:
    description: Number of Ready nodes whose addresses peers get if the Service is a NodePort.
    type: int
    default: 3
  wait:
    description: Wait for O(wait_for). Fails with everything that is missing after O(wait_timeout).
    type: bool
    default: false
  wait_timeout: {description: Seconds to wait., type: int, default: 900}
  wait_for:
    description:
      - V(endpoint) waits for an address that peers can connect to, V(deployment) for the rollout of
        clustermesh-apiserver.
      - V(kvstoremesh) and V(agents) wait until they are in sync with each peer of O(expect), under its id.
      - V(node_count) waits until agents know as many nodes of a peer as its record has C(cluster.node_ips).
      - V(traffic) waits until the probes reach each peer, V(reach) until each endpoint accepts connections.
      - V(bundle) waits until new TLS handshakes of all pods, with their present mounts, trust exactly the CAs of
        O(ca_bundle), and both sides present certificates of O(ca_cert).
    type: list
    elements: str
    choices: [endpoint, deployment, kvstoremesh, agents, node_count, traffic, reach, bundle]
    default: [endpoint, deployment, kvstoremesh, agents]
  expect:
    description: Expected peers, as records or with name and id only. The cluster's own entry is skipped.
    type: list
    elements: dict
    default: []
  ca_bundle: {description: "Certificates of all CAs to trust, PEM.", type: str}
  ca_cert: {description: "Certificate of the CA that signs, PEM.", type: str}
  ca_fingerprint:
    description: With O(wait_for=bundle), the fingerprint that the entries mounted by agents must contain.
    type: str
    default: ""
  max_unready_agents: {description: Number of agents that may lack a peer., type: int, default: 0}
extends_documentation_fragment: [opendata.platform.reads, opendata.platform.cluster, opendata.platform.cluster.cilium]
attributes:
  check_mode: {description: "Only reads, and does not wait."}
requirements: [cryptography, websocket-client (to run commands in pods)]
"""

EXAMPLES = """
- name: Read the mesh record of the cluster
  opendata.platform.cilium_clustermesh_info:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
  register: mesh_self

- name: Wait until the cluster is connected to its peers
  opendata.platform.cilium_clustermesh_info:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    gather: [status, traffic]
    wait: true
    wait_for: [deployment, kvstoremesh, agents, traffic]
    expect: [{name: south, id: 2}]
"""

RETURN = """
cluster:
  description:
    - The record, with the gathered parts. Empty in check mode if Cilium is not installed yet.
    - Contains C(cluster.status), C(cluster.traffic) and C(cluster.reach) if they were gathered or waited for.
  returned: always
  type: dict
  sample:
    name: north
    id: 1
    version: 1.20.2
    endpoint: {type: NodePort, ips: [10.77.0.11], address: "", port: 32379, source: Service clustermesh-apiserver}
    peers: {south: {endpoints: ["https://south.mesh.cilium.io:32379"], ips: [10.77.0.12], managed_by: helm}}
    status:
      agents: {total: 1, ready: 1}
      kvstoremesh: {south: true}
      clusters: {south: {ready: true, cluster_id: 2, nodes: 1, endpoints: 2, services: 1, error: ""}}
    traffic: {south: {reachable: true, reason: ""}}
reasons:
  description: What is missing of O(expect), one line each.
  returned: always
  type: list
  elements: str
  sample: ["cluster north, peer south: agent cilium-x: not in sync yet: endpoints"]
"""

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record.client import Unreadable
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.info import OF_OBJECTS, OF_PODS, Info

PARTS = ["identity", "network", "endpoint", "tls", "peers", "helm"]
WAITS = [*OF_OBJECTS, "kvstoremesh", "agents"]


def check(module: ClusterModule) -> None:
    """Fail when an option that another one needs is missing."""
    if "bundle" in module.params["wait_for"] and not (module.params["ca_bundle"] and module.params["ca_cert"]):
        module.fail_json(msg="wait_for=bundle needs ca_bundle (the CAs to trust) and ca_cert (the one that signs).")
    expect = enumerate(module.params["expect"], start=1)
    text = ", ".join(str(number) for number, each in expect if not (each.get("name") and each.get("id")))
    if text:
        module.fail_json(msg=f"expect: entry {text} has no name and id; pass a record of this module, or both.")
    if "reach" in module.params["gather"] and not all("endpoint" in each for each in module.params["expect"]):
        module.fail_json(msg="gather=reach needs records of this module in expect: one has no endpoint.")


def main() -> None:
    """Run the module."""
    texts = {"type": "list", "elements": "str"}
    override = {"ips": texts, "address": {}, "port": {"type": "int", "default": 2379}}
    module = ClusterModule(
        {
            "namespace": {"default": "kube-system"},
            "gather": {**texts, "choices": [*PARTS, "status", "traffic", "reach"], "default": PARTS},
            "endpoint": {
                "type": "dict",
                "options": override,
                "required_one_of": [["ips", "address"]],
                "mutually_exclusive": [["ips", "address"]],
            },
            "node_address": {"choices": ["InternalIP", "ExternalIP"], "default": "InternalIP"},
            "node_count": {"type": "int", "default": 3},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 900},
            "wait_for": {**texts, "choices": [*OF_OBJECTS, *OF_PODS, "reach"], "default": WAITS},
            "expect": {"type": "list", "elements": "dict", "default": []},
            "ca_bundle": {},
            "ca_cert": {},
            "ca_fingerprint": {"default": ""},
            "max_unready_agents": {"type": "int", "default": 0},
        },
    )
    check(module)
    if module.planned:
        module.exit_json(cluster={}, reasons=[])
    info = Info(module, module.connect())
    with module.reporting_api(Unreadable, ValueError):
        missing = info.objects()
        record = info.record()
        found = info.reach(record) + info.pods(record)
    missing = [f"cluster {record['name']}: {text}" for text in missing]
    if info.waits and (missing or found):
        text = "\n".join([f"After {module.params['wait_timeout']} s this is still missing:", *missing, *found])
        module.fail_json(msg=text, cluster=record, reasons=[*missing, *found])
    module.exit_json(cluster=record, reasons=found)


if __name__ == "__main__":
    main()
