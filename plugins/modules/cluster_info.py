# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read the status of a cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_info
short_description: Gather the status of a cluster, or wait until it is healthy
description:
  - Reads whether the API server answers, the versions of Kubernetes and Cilium, and how many nodes are Ready.
  - Returns the reason if the cluster is unhealthy. Does not fail then, unless O(fail_when_unhealthy).
options:
  name: {description: "Name of the cluster, returned as it is.", type: str, required: true}
  provider: {description: "Provider of the cluster, returned as it is.", type: str, default: ""}
  nodes: {description: Names of the nodes that the cluster must have., type: list, elements: str, default: []}
  cilium:
    description: Whether Cilium must be its network; otherwise only the nodes are checked.
    type: bool
    default: true
  wait:
    description: Whether to wait until the network is rolled out and the nodes are Ready.
    type: bool
    default: false
  wait_timeout: {description: Timeout of the wait in seconds., type: int, default: 300}
  restarted_after:
    description:
      - Time at which the machines of the cluster were stopped, in ISO 8601 with time zone. The wait then lasts until
        each node has reported and each container has started since, as the API first shows what was before. Needs
        O(wait).
    type: str
  fail_when_unhealthy:
    description: Whether to fail with the reason, and the last events and log lines of failing pods. Not in check mode.
    type: bool
    default: false
extends_documentation_fragment: [opendata.platform.reads, opendata.platform.cluster]
attributes:
  check_mode: {description: "Only reads, and does not wait."}
"""

EXAMPLES = """
- name: Wait until cluster north is healthy
  opendata.platform.cluster_info:
    name: north
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    nodes: [north-1]
    wait: true
    fail_when_unhealthy: true
"""

RETURN = """
cluster:
  description: Status of the cluster. C(cluster.reason) is empty when it is healthy.
  returned: always
  type: dict
  sample:
    name: north
    provider: kubeadm
    api: 10.77.0.11:6443
    kubernetes: v1.36.3
    cilium: 1.20.2
    nodes: 1
    nodes_ready: 1
    reason: ""
details: {description: Last events and log lines of failing pods., returned: always, type: list, elements: str}
"""

from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.cluster import status
from ansible_collections.opendata.platform.plugins.module_utils.cluster.restart import moment
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "name": {"type": "str", "required": True},
            "provider": {"type": "str", "default": ""},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "cilium": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            "restarted_after": {"type": "str"},
            "fail_when_unhealthy": {"type": "bool", "default": False},
        },
    )
    wanted, details, since = module.params, list[str](), None
    if wanted["restarted_after"]:
        with module.reporting(ValueError, before="restarted_after: "):
            since = moment(wanted["restarted_after"])
    info: dict[str, Any] = {"name": wanted["name"], "provider": wanted["provider"], "api": "", "kubernetes": ""}
    info |= {"cilium": "", "nodes": len(wanted["nodes"]), "nodes_ready": 0, "reason": ""}
    if not Path(wanted["kubeconfig"]).exists():
        info["reason"] = f"not created yet (no kubeconfig at {wanted['kubeconfig']})"
    else:
        try:
            cluster = Cluster(wanted["kubeconfig"], wanted["context"])
            info["api"] = cluster.host.partition("://")[2]
            expected = cluster, wanted["nodes"], wanted["wait_timeout"], wanted["cilium"]
            if wanted["wait"] and not module.check_mode:
                seen, details = status.settle_after_restart(since, *expected) if since else status.settle(*expected)
            else:
                seen, details = status.read(cluster, wanted["nodes"], wanted["cilium"])
            info |= seen
        except (ApiError, Unreachable) as error:
            info["reason"] = str(error)
    if info["reason"] and wanted["fail_when_unhealthy"] and not module.check_mode:
        text = "\n".join([f"{wanted['name']} is unhealthy: {info['reason']}.", *details])
        module.fail_json(msg=text, cluster=info, details=details)
    module.exit_json(cluster=info, details=details)


if __name__ == "__main__":
    main()
