# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read how a cluster takes part in a Cilium Cluster Mesh, or wait until it sees its peers."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh_info
short_description: Read how a cluster takes part in a Cilium Cluster Mesh, or wait until it sees its peers
description:
  - Reads one cluster's identity, network, endpoint, certificates and peers into a record. Never changes anything.
  - The records of all clusters are what M(opendata.platform.cilium_clustermesh_preflight) judges
    and what M(opendata.platform.cilium_clustermesh) connects.
  - Asks agents and KVStoreMesh how they see the peers, and can wait until they see all that is expected.
  - Private keys are dropped when they are read.
options:
  gather:
    description:
      - Parts of the record. Identity is always read.
      - V(tls) and V(peers) need the right to read Secrets, V(status) and V(traffic) to run commands in pods.
      - V(traffic) probes from one agent whether nodes of the peers, and pods on them, answer; V(reach) whether the
        endpoint of each record in O(expect) takes connections.
    type: list
    elements: str
    choices: [identity, network, endpoint, tls, peers, helm, status, traffic, reach]
    default: [identity, network, endpoint, tls, peers, helm]
  endpoint:
    description: Where peers dial this cluster, instead of what its Service says. Either by ips or by address.
    type: dict
    suboptions:
      ips:
        description: IP addresses.
        type: list
        elements: str
      address:
        description: Name or IP address that the server's certificate holds.
        type: str
      port:
        description: Port.
        type: int
        default: 2379
  node_address:
    description: Which addresses of nodes peers dial where the Service is a NodePort.
    type: str
    choices: [InternalIP, ExternalIP]
    default: InternalIP
  node_count:
    description: How many Ready nodes' addresses peers get where the Service is a NodePort.
    type: int
    default: 3
  wait:
    description: Wait until all of O(wait_for) is so. Fails with all that is missing when O(wait_timeout) is over.
    type: bool
    default: false
  wait_timeout:
    description: Timeout of the wait in seconds.
    type: int
    default: 900
  wait_for:
    description:
      - V(endpoint) is something that peers can dial, V(deployment) the rollout of clustermesh-apiserver.
      - V(kvstoremesh) and V(agents) are in sync with each peer of O(expect), under its id.
      - V(node_count) makes agents know as many nodes as the record of a peer has C(cluster.node_ips).
      - V(traffic) is that the probes reach each peer, V(reach) that each endpoint takes connections.
      - V(bundle) is that in new handshakes of all pods, with what they mount now, the CAs of O(ca_bundle) and only they
        are trusted, and that both sides show certificates of O(ca_cert).
    type: list
    elements: str
    choices: [endpoint, deployment, kvstoremesh, agents, node_count, traffic, reach, bundle]
    default: [endpoint, deployment, kvstoremesh, agents]
  expect:
    description: Peers that must be seen, as records or with name and id only. The cluster's own is left out.
    type: list
    elements: dict
    default: []
  ca_bundle:
    description: Certificates of all CAs to trust, PEM.
    type: str
  ca_cert:
    description: Certificate of the CA that signs, PEM.
    type: str
  ca_fingerprint:
    description: O(wait_for=bundle) also wants it in the entries that agents mount; they read their CAs when it changes.
    type: str
    default: ""
  max_unready_agents:
    description: How many agents may lack a peer.
    type: int
    default: 0
extends_documentation_fragment: [opendata.platform.cluster, opendata.platform.cluster.cilium]
attributes:
  check_mode:
    description: Only reads, and does not wait.
    support: full
  diff_mode:
    description: Only reads.
    support: none
requirements: [cryptography, websocket-client (to run commands in pods)]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: What the cluster is for its peers
  opendata.platform.cilium_clustermesh_info:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
  register: mesh_self

- name: The cluster sees all others
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
    - The record, with the parts that were gathered. Empty in check mode where there is no Cilium yet.
    - C(cluster.status), C(cluster.traffic) and C(cluster.reach) are there when they were gathered or waited for.
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
  description: What is missing of O(expect) in words, where pods were asked.
  returned: always
  type: list
  elements: str
  sample: ["cluster north, peer south: agent cilium-x: not in sync yet: endpoints"]
"""

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import CLUSTER_OPTIONS, ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record import client as record_client
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status.info import OF_OBJECTS, OF_PODS, Info

PARTS = ["identity", "network", "endpoint", "tls", "peers", "helm"]


def check(module: ClusterModule) -> None:
    """Fail when what is expected is not said."""
    if "bundle" in module.params["wait_for"] and not (module.params["ca_bundle"] and module.params["ca_cert"]):
        module.fail_json(msg="wait_for=bundle needs ca_bundle (the CAs to trust) and ca_cert (the one that signs).")
    expect = enumerate(module.params["expect"], start=1)
    text = ", ".join(str(number) for number, each in expect if not (each.get("name") and each.get("id")))
    if text:
        module.fail_json(msg=f"expect: entry {text} has no name and id; give a record of this module or both.")
    if "reach" in module.params["gather"] and not all("endpoint" in each for each in module.params["expect"]):
        module.fail_json(msg="gather=reach needs records of this module in expect: one has no endpoint.")


def main() -> None:
    """Run the module."""
    texts = {"type": "list", "elements": "str"}
    override = {"ips": texts, "address": {}, "port": {"type": "int", "default": 2379}}
    module = ClusterModule(
        argument_spec={
            **CLUSTER_OPTIONS,
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
            "wait_for": {
                **texts,
                "choices": [*OF_OBJECTS, *OF_PODS, "reach"],
                "default": [*OF_OBJECTS, "kvstoremesh", "agents"],
            },
            "expect": {"type": "list", "elements": "dict", "default": []},
            "ca_bundle": {},
            "ca_cert": {},
            "ca_fingerprint": {"default": ""},
            "max_unready_agents": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    check(module)
    if module.planned:
        module.exit_json(cluster={}, reasons=[])
    info = Info(module, module.connect())
    try:
        missing = info.objects()
        record = info.record()
        found = info.reach(record) + info.pods(record)
    except (ApiError, Unreachable, record_client.Unreadable, ValueError) as error:
        module.fail_json(msg=f"{error}.")
    missing = [f"cluster {record['name']}: {text}" for text in missing]
    if info.waits and (missing or found):
        text = "\n".join([f"After {module.params['wait_timeout']} s this is still missing:", *missing, *found])
        module.fail_json(msg=text, cluster=record, reasons=[*missing, *found])
    module.exit_json(cluster=record, reasons=found)


if __name__ == "__main__":
    main()
