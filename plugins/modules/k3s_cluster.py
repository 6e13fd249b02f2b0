# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The nodes of a k3s cluster, as one of its servers sees them."""

from __future__ import annotations

DOCUMENTATION = """
module: k3s_cluster
short_description: The nodes of a k3s cluster, as one of its servers sees them
description:
  - Runs on a server of the cluster and does what concerns another node, or the cluster as a whole.
options:
  state:
    description:
      - V(looked) only looks; with O(version) it waits until the kubelet of O(node) reports it.
      - V(drained) moves the pods of O(node) away, if another node can take them.
        What budgets forbid fails after O(timeout).
      - V(uncordoned) lets O(node) take pods again, if V(drained) had cordoned it.
      - V(forgotten) deletes the Node O(node) and waits until its member has left etcd.
        Refused where a majority would be lost.
      - V(saved) makes a snapshot of etcd whose name begins with O(snapshot).
    type: str
    choices: [looked, drained, uncordoned, forgotten, saved]
    default: looked
  node:
    description: Name of the Node.
    type: str
  servers:
    description: Addresses of the cluster's servers, by name of their Node.
    type: dict
    default: {}
  version:
    description: Version to wait for.
    type: str
  timeout:
    description: Seconds for a drain.
    type: int
    default: 300
  snapshot:
    description: How the name of a snapshot begins.
    type: str
    default: opendata
attributes:
  check_mode:
    description: Reports what would be done.
    support: full
  diff_mode:
    description: Shows what would be done in words.
    support: full
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: The node has no pods
  opendata.platform.k3s_cluster:
    state: drained
    node: north-4
  delegate_to: north-1
"""

RETURN = """
nodes:
  description: Each node's C(version), C(ready), C(schedulable) and C(drained) (by us), by its name.
  returned: always
  type: dict
members:
  description: Nodes that are members of etcd.
  returned: always
  type: list
  elements: str
snapshot:
  description: Path of the snapshot on this machine; empty if none was made.
  returned: always
  type: str
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cluster as cluster_client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as pure

NEEDS_NODE = [("state", state, ("node",)) for state in ("drained", "uncordoned", "forgotten")]


def due(params: dict, nodes: dict[str, dict], members: list[str]) -> list[str]:
    """What must be done, in words that the diff shows."""
    state, name = params["state"], params["node"]
    node = nodes.get(name, {})
    # A node that a person cordoned stays so; the pods of one that does not answer cannot be moved.
    if state == "drained" and node.get("ready") and (node["schedulable"] or node["drained"]):
        return [f"drain {name}"] if pure.can_be_drained(name, nodes) else []
    if state == "uncordoned" and node.get("drained"):
        return [f"uncordon {name}"]
    if state == "forgotten" and (node or name in members):
        return [f"delete the Node {name}"]
    return ["save a snapshot of etcd"] if state == "saved" else []


def insist_on_a_majority(params: dict, members: list[str]) -> None:
    """Refuse a removal that the cluster would not survive.

    :raises K3sError: with the reason.
    """
    alive = [one for one in members if cluster_client.answers(params["servers"].get(one, ""))]
    if findings := pure.removal_findings(params["node"], members, alive):
        raise client.K3sError("\n".join(map(str, findings)))


def save(prefix: str) -> str:
    """Make a snapshot; its path.

    :raises K3sError: when k3s does not say what it made.
    """
    printed = client.run("etcd-snapshot", "save", f"--name={prefix}", log=True)
    found = re.search(r"[Ss]napshot (\S+) saved", printed)
    if not found:
        raise client.K3sError(f"k3s etcd-snapshot save does not name its snapshot:\n{printed}")
    return f"{client.DATABASE}/snapshots/{found[1]}"


def carry_out(params: dict) -> str:
    """Do what is due; the path of a snapshot that was made."""
    state, name = params["state"], params["node"]
    if state == "saved":
        return save(params["snapshot"])
    if state == "drained":
        cluster_client.drain(name, params["timeout"])
    elif state == "uncordoned":
        cluster_client.uncordon(name)
    elif state == "forgotten":
        cluster_client.forget(name)
    return ""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["looked", "drained", "uncordoned", "forgotten", "saved"],
                "default": "looked",
            },
            "node": {"type": "str"},
            "servers": {"type": "dict", "default": {}},
            "version": {"type": "str"},
            "timeout": {"type": "int", "default": 300},
            "snapshot": {"type": "str", "default": "opendata"},
        },
        required_if=NEEDS_NODE,
        required_by={"version": ("node",)},
        supports_check_mode=True,
    )
    params, snapshot = module.params, ""
    try:
        if params["version"] and not module.check_mode:
            cluster_client.wait_for(params["node"], params["version"])
        # In this order: the first to fail tells what is the matter.
        members, nodes = cluster_client.members(), cluster_client.nodes()
        actions = due(params, nodes, members)
        if actions and params["state"] == "forgotten":
            insist_on_a_majority(params, members)
        if actions and not module.check_mode:
            snapshot = carry_out(params)
    except client.K3sError as error:
        module.fail_json(msg=str(error))
    diff = [{"before": "", "after": f"{action}\n"} for action in actions]
    module.exit_json(changed=bool(actions), diff=diff, nodes=nodes, members=members, snapshot=snapshot)


if __name__ == "__main__":
    main()
