# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage the nodes and snapshots of a k3s cluster from one of its servers."""

from __future__ import annotations

DOCUMENTATION = """
module: k3s_cluster
short_description: Manage the nodes and snapshots of a k3s cluster
description:
  - Runs on a server of the cluster and acts on another node, or on the cluster as a whole.
options:
  state:
    description:
      - V(gathered) only reads; with O(version) it waits until the kubelet of O(node) reports that version.
      - V(drained) drains O(node), if another node can take its pods.
        A drain that PodDisruptionBudgets block fails after O(timeout).
      - V(uncordoned) uncordons O(node), if O(state=drained) had cordoned it.
      - V(removed) deletes the Node O(node) and waits until its member has left etcd.
        Refused if the quorum would be lost.
      - V(saved) saves an etcd snapshot whose name begins with O(snapshot).
    type: str
    choices: [gathered, drained, uncordoned, removed, saved]
    default: gathered
  node: {description: Name of the Node., type: str}
  servers: {description: "Addresses of the cluster's servers, by name of their Node.", type: dict, default: {}}
  version: {description: Version to wait for., type: str}
  timeout: {description: Timeout of a drain in seconds., type: int, default: 300}
  snapshot: {description: Prefix of the snapshot's name., type: str, default: opendata}
attributes:
  check_mode: {description: Reports what would be done., support: full}
  diff_mode: {description: Shows the actions., support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Drain the node
  opendata.platform.k3s_cluster:
    state: drained
    node: north-4
  delegate_to: north-1
"""

RETURN = """
nodes:
  description: C(version), C(ready), C(schedulable) and C(drained) (by this collection) by name of the node.
  returned: always
  type: dict
members: {description: Nodes that are members of etcd., returned: always, type: list, elements: str}
snapshot: {description: Path of the snapshot on this machine; empty if none was saved., returned: always, type: str}
"""

import re
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.k3s import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cluster as cluster_client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as pure
from ansible_collections.opendata.platform.plugins.module_utils.module import Module

Params = dict[str, Any]

STATES = ["gathered", "drained", "uncordoned", "removed", "saved"]

NEEDS_NODE = [("state", state, ("node",)) for state in ("drained", "uncordoned", "removed")]


def due(params: Params, nodes: dict[str, dict[str, Any]], members: list[str]) -> list[str]:
    """The actions that are needed, as the diff shows them."""
    state, name = params["state"], params["node"]
    node = nodes.get(name, {})
    # A node that the operator cordoned stays cordoned; one that does not answer cannot be drained.
    if state == "drained" and node.get("ready") and (node["schedulable"] or node["drained"]):
        return [f"drain {name}"] if pure.can_be_drained(name, nodes) else []
    if state == "uncordoned" and node.get("drained"):
        return [f"uncordon {name}"]
    if state == "removed" and (node or name in members):
        return [f"delete the Node {name}"]
    return ["save an etcd snapshot"] if state == "saved" else []


def require_quorum(params: Params, members: list[str]) -> None:
    """Refuse a removal that would cost the cluster its quorum.

    :raises K3sError: with the reason.
    """
    alive = [one for one in members if cluster_client.answers(params["servers"].get(one, ""))]
    if findings := pure.removal_findings(params["node"], members, alive):
        raise client.K3sError("\n".join(map(str, findings)))


def save(prefix: str) -> str:
    """Save a snapshot; its path.

    :raises K3sError: if k3s does not report its name.
    """
    printed = client.run("etcd-snapshot", "save", f"--name={prefix}", log=True)
    found = re.search(r"[Ss]napshot (\S+) saved", printed)
    if not found:
        raise client.K3sError(f"k3s etcd-snapshot save did not report the name of its snapshot:\n{printed}")
    return f"{client.DATABASE}/snapshots/{found[1]}"


def carry_out(params: Params) -> str:
    """Carry out the actions; the path of a saved snapshot."""
    state, name = params["state"], params["node"]
    if state == "saved":
        return save(params["snapshot"])
    if state == "drained":
        cluster_client.drain(name, params["timeout"])
    elif state == "uncordoned":
        cluster_client.uncordon(name)
    elif state == "removed":
        cluster_client.remove(name)
    return ""


def main() -> None:
    """Entry point of the module."""
    module = Module(
        {
            "state": {"type": "str", "choices": STATES, "default": "gathered"},
            "node": {"type": "str"},
            "servers": {"type": "dict", "default": {}},
            "version": {"type": "str"},
            "timeout": {"type": "int", "default": 300},
            "snapshot": {"type": "str", "default": "opendata"},
        },
        required_if=NEEDS_NODE,
        required_by={"version": ("node",)},
    )
    params, snapshot = module.params, ""
    with module.reporting(client.K3sError):
        if params["version"] and not module.check_mode:
            cluster_client.wait_for(params["node"], params["version"])
        # In this order: the first error is the most specific.
        members, nodes = cluster_client.members(), cluster_client.nodes()
        actions = due(params, nodes, members)
        if actions and params["state"] == "removed":
            require_quorum(params, members)
        if actions and not module.check_mode:
            snapshot = carry_out(params)
    diff = [{"before": "", "after": f"{action}\n"} for action in actions]
    module.exit_json(changed=bool(actions), diff=diff, nodes=nodes, members=members, snapshot=snapshot)


if __name__ == "__main__":
    main()
