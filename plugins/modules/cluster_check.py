# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check whether an existing cluster can join the fleet, and gather what the platform needs to know of it."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_check
short_description: Check whether an existing cluster can join the fleet
description:
  - Reads the user's permissions, the version, the nodes, the installed network plugin and Cilium, whether kube-proxy
    runs, the ranges of pods and Services, and where Cilium can reach the API server.
  - Fails with all errors at once, each with the object that shows it and the next step. Warnings
    do not fail.
  - Only reads. Permissions are checked by SelfSubjectAccessReview, which the API does not store.
options:
  name: {description: "Name of the cluster, for the findings.", type: str, required: true}
  cilium: {description: Whether the platform installs Cilium as the cluster's network., type: bool, default: true}
  cilium_version: {description: Version of Cilium to install., type: str, required: true}
  mesh: {description: Whether the cluster is in the mesh., type: bool, default: false}
  flux: {description: Whether Flux runs in the cluster., type: bool, default: false}
  pod_cidr: {description: Pod CIDR in the inventory., type: str, required: true}
  service_cidr: {description: Service CIDR in the inventory., type: str, required: true}
  endpoint:
    description: Address of the API server as nodes reach it, host:port; detected when empty.
    type: str
    default: ""
extends_documentation_fragment: [opendata.platform.reads, opendata.platform.cluster]
attributes:
  check_mode: {description: "Only reads. The kubeconfig must exist, also in check mode."}
"""

EXAMPLES = """
- name: Check the existing cluster
  opendata.platform.cluster_check:
    name: aws
    kubeconfig: ~/.kube/config
    context: arn:aws:eks:eu-central-1:123456789012:cluster/data
    cilium_version: 1.20.2
    pod_cidr: 10.10.0.0/16
    service_cidr: 10.110.0.0/16
  register: checked
"""

RETURN = """
found:
  description: What other roles need to know of the cluster.
  returned: always
  type: dict
  contains:
    api:
      description: Host and port at which every node reaches the API server, and their source; empty if there is none.
      type: dict
      returned: always
      sample: {host: ABCD.gr7.eu-central-1.eks.amazonaws.com, port: 443, source: the kubeconfig}
    ipam:
      description: Cilium's IPAM mode, V(kubernetes) where nodes have pod CIDRs, else V(cluster-pool).
      type: str
      returned: always
    cilium_release:
      description: Name of the helm release of the installed Cilium; empty if there is none.
      type: str
      returned: always
    kubernetes: {description: Version of the API., type: str, returned: always}
    nodes:
      description: By node name what the API reports, in the shape of M(opendata.platform.node_facts).
      type: dict
      returned: always
notes: {description: "The warnings, as text.", returned: success, type: list, elements: str}
"""

from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.existing import client as existing_client
from ansible_collections.opendata.platform.plugins.module_utils.existing import kubeconfig, nodes, preflight
from ansible_collections.opendata.platform.plugins.module_utils.existing.preflight import State, Wanted
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from ansible_collections.opendata.platform.plugins.module_utils.fleet.cidr import split_endpoint
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule


def cluster_entry(path: str, context: str) -> dict[str, Any]:
    """The cluster's entry of a kubeconfig.

    :raises ValueError: with what is wrong with the file.
    """
    try:
        return kubeconfig.chosen(Path(path).read_text(encoding="utf-8"), context)[1]
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


def inspect(module: ClusterModule, entry: dict[str, Any], wanted: Wanted) -> tuple[State | None, list[Finding]]:
    """The cluster's state (None if it cannot be read) and all findings."""
    params = module.params
    rights = preflight.needed(params["cilium"], params["mesh"], params["flux"])
    endpoint = split_endpoint(params["endpoint"]) if params["endpoint"] else None
    try:
        cluster = Cluster(params["kubeconfig"], params["context"])
        missing = existing_client.missing_rights(cluster, rights)
        step = "Use the kubeconfig of an administrator (ClusterRole cluster-admin), or have one grant them."
        found = [wanted.error(preflight.rights_words(missing), params["kubeconfig"], step)] if missing else []
        if {*missing} & {*preflight.READ}:
            return None, found
        state = existing_client.read(cluster, entry, endpoint)
        return state, [*found, *preflight.findings(state, wanted)]
    except (ApiError, Unreachable) as error:
        step = "Check that this machine can reach it (VPN, allowed addresses) and that the credentials are valid."
        return None, [wanted.error(str(error).rstrip("."), params["kubeconfig"], step)]


def summary(state: State) -> dict[str, Any]:
    """What other roles need to know of the cluster."""
    return {
        "api": {"host": state.api.host, "port": state.api.port, "source": state.api.source},
        "ipam": "kubernetes" if nodes.pod_ranges(state.nodes) else "cluster-pool",
        "cilium_release": (state.cilium or {}).get("release", ""),
        "kubernetes": state.kubernetes,
        "nodes": nodes.facts(state.nodes),
    }


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "name": {"type": "str", "required": True},
            "cilium": {"type": "bool", "default": True},
            "cilium_version": {"type": "str", "required": True},
            "mesh": {"type": "bool", "default": False},
            "flux": {"type": "bool", "default": False},
            "pod_cidr": {"type": "str", "required": True},
            "service_cidr": {"type": "str", "required": True},
            "endpoint": {"type": "str", "default": ""},
        },
    )
    params = module.params
    try:
        entry = cluster_entry(params["kubeconfig"], params["context"] or "")
    except ValueError as error:
        step = "Set cluster_existing_kubeconfig to a kubeconfig, and cluster_existing_context to one of its contexts."
        module.fail_json(msg=f"{params['name']}: {params['kubeconfig']} {error}. {step}")
    wanted = {key: params[key] for key in ("name", "cilium", "cilium_version", "pod_cidr", "service_cidr")}
    state, findings = inspect(module, entry, Wanted(**wanted, server=entry["server"]))
    errors = module.warn_of(findings)
    if errors or state is None:
        module.fail_json(msg="\n".join(errors))
    notes = [str(each) for each in findings if not each.is_error]
    module.exit_json(found=summary(state), notes=notes)


if __name__ == "__main__":
    main()
