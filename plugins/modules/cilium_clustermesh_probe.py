# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Test requests between pods of a cluster and its peers in a Cilium Cluster Mesh."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh_probe
short_description: Test requests between the clusters of a Cilium Cluster Mesh
description:
  - Runs a server behind a global Service and a client in one cluster, and checks which clusters answer the client.
  - All objects are in their own namespace, C(opendata-mesh-test), without privileges.
  - Run it with O(state=present) in every cluster of the mesh before probing one. Test mode V(fallback) in one cluster
    at a time, because it scales down the cluster's own server.
options:
  name:
    description: Expected name of the cluster; the module fails if the kubeconfig points to another one.
    type: str
    required: true
  state:
    description:
      - V(present) creates the objects and waits for their pods.
      - V(probed) also tests each of O(modes), and fails with every mode in which other clusters answer than expected.
        Afterwards it restores the objects.
      - V(absent) removes the namespace and waits for its deletion.
    type: str
    choices: [present, probed, absent]
    default: present
  image:
    description: Image of the server and the client (C(images/testserver) of this collection's repository).
    type: str
    default: ghcr.io/opendata/testserver:0.1.0
  peers:
    description: Names of the clusters of the mesh, with or without this one.
    type: list
    elements: str
    default: []
  modes:
    description:
      - V(all) expects answers from exactly these clusters.
      - V(local) expects answers from this cluster only, with C(service.cilium.io/affinity=local).
      - V(remote) expects answers from the others only, with C(service.cilium.io/affinity=remote).
      - V(fallback) expects answers from the others, with C(service.cilium.io/affinity=local) and the own server scaled
        to 0.
    type: list
    elements: str
    choices: [all, local, remote, fallback]
    default: [all, local, remote, fallback]
  requests:
    description:
      - Number of consecutive requests that must be answered as expected before a mode counts as reached, because the
        datapath applies a changed annotation with a delay. Then as many again are sent, and none may be answered
        wrongly.
    type: int
    default: 20
  wait_timeout:
    description: Seconds for each wait; for the pods, for a mode to be reached, and for the deletion of the namespace.
    type: int
    default: 60
extends_documentation_fragment: [opendata.platform.cluster, opendata.platform.cluster.cilium]
attributes:
  check_mode:
    description: Reports the objects that would be created or removed, and sends no requests.
    support: full
  diff_mode: {description: Shows the objects., support: full}
requirements: [websocket-client]
"""

EXAMPLES = """
- name: Test that north and south answer in north
  opendata.platform.cilium_clustermesh_probe:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    name: north
    peers: [north, south]
    state: probed
"""

RETURN = """
checks:
  description: One check per mode, in order. C(checks[].found) counts which clusters answered the last requests.
  returned: always
  type: list
  elements: dict
  sample: [{name: all, ok: true, expected: "north, south", found: "north 9, south 11", seconds: 2.1}]
wrong:
  description: One line per failed mode.
  returned: always
  type: list
  elements: str
  sample:
    - "cluster north, mode all: expected answers from north and south only in 60 s, found north 20; nothing from south"
"""

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.apply import Change, Refused
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.exec import Pods
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule, summary
from ansible_collections.opendata.platform.plugins.module_utils.mesh.connectivity import objects
from ansible_collections.opendata.platform.plugins.module_utils.mesh.connectivity.client import Probe, ProbeError

NOTHING: dict[str, Any] = {"checks": [], "wrong": []}


def check(module: ClusterModule) -> None:
    """Fail when what is asked for would test nothing."""
    asked, found = module.params, []
    if asked["requests"] < 1:
        found.append(f"requests is {asked['requests']}: at least 1 is needed")
    far = [mode for mode in asked["modes"] if not objects.expected(mode, asked["name"], asked["peers"])]
    if asked["state"] == "probed" and far:
        found.append(f"modes {', '.join(far)}: peers contains no other cluster that could answer")
    if asked["state"] == "probed" and not asked["modes"]:
        found.append("modes is empty: nothing would be tested")
    if found:
        module.fail_json(msg=f"{'; '.join(found)}.", **NOTHING)


def planned(module: ClusterModule) -> None:
    """Say what would be made in a cluster that a run would make before."""
    asked = module.params
    wanted = objects.manifests(asked["name"], asked["image"], "none", 1) if asked["state"] == "present" else []
    module.exit_json(**NOTHING, **summary([Change(each, "created", None, each) for each in wanted]))


def probed(module: ClusterModule, probe: Probe) -> dict[str, Any]:
    """Ask in each mode; whatever comes, the objects are as before afterwards."""
    asked, checks = module.params, []
    changes = probe.apply("all")
    try:
        for mode in asked["modes"]:
            checks.append(probe.check(mode, asked["peers"], asked["requests"]))
    finally:
        probe.apply("all")
    wrong = [words for _check, words in checks if words]
    return {"checks": [each for each, _words in checks], "wrong": wrong, **summary(changes)}


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "namespace": {"default": "kube-system"},
            "name": {"required": True},
            "state": {"choices": ["present", "probed", "absent"], "default": "present"},
            "image": {"default": "ghcr.io/opendata/testserver:0.1.0"},
            "peers": {"type": "list", "elements": "str", "default": []},
            "modes": {"type": "list", "elements": "str", "choices": [*objects.MODES], "default": [*objects.MODES]},
            "requests": {"type": "int", "default": 20},
            "wait_timeout": {"type": "int", "default": 60},
        },
    )
    asked, dry = module.params, module.check_mode
    check(module)
    if module.planned:
        planned(module)
    cluster = module.connect()
    pods = Pods(asked["kubeconfig"], asked["context"])
    probe = Probe(cluster, pods, asked["name"], asked["image"], asked["wait_timeout"])
    refused = f"The API server {cluster.host} did not take these objects: "
    with (
        module.reporting_api(ProbeError, **NOTHING),
        module.reporting(Refused, before=refused, after=".", **NOTHING),
    ):
        if asked["state"] == "absent":
            module.exit_json(**NOTHING, changed=probe.remove(dry))
        probe.identify(asked["namespace"], asked["context"] or "current", asked["kubeconfig"])
        if asked["state"] == "present":
            result = {**NOTHING, **summary(probe.apply("all", dry))}
        else:
            result = {**NOTHING, "changed": False} if dry else probed(module, probe)
    if result["wrong"]:
        hint = "Module cilium_clustermesh_info (gather status, traffic) shows the status of the peers in the agents."
        module.fail_json(msg="\n".join([*result["wrong"], hint]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
