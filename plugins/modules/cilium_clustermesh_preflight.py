# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Say everything that keeps clusters from being one mesh, before anything is changed."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh_preflight
short_description: Say everything that keeps clusters from being one Cilium Cluster Mesh
description:
  - Judges the records of M(opendata.platform.cilium_clustermesh_info), each alone and all together.
    Talks to no cluster.
  - Fails with every error at once, each with its code, the clusters, and what to do. Warns of what works but is
    likely not meant.
  - Certificates are judged only in clusters that have some; M(opendata.platform.cilium_clustermesh_certs) may come
    afterwards.
  - Made for C(run_once), with the records of every cluster of the mesh, also of those that a limit leaves out.
options:
  clusters:
    description: Records of the clusters, as RV(opendata.platform.cilium_clustermesh_info#module:cluster) has them.
    type: list
    elements: dict
    required: true
  underlay:
    description: What is known of the network between the nodes of different clusters.
    type: dict
    default: {}
    suboptions:
      mtu:
        description: Bytes of the largest packet between nodes; V(0) when it is not known.
        type: int
        default: 0
  ignore:
    description: Codes of findings to leave out.
    type: list
    elements: str
    default: []
    choices:
      - AUTHMODE
      - CA_BUNDLE_OLD
      - CA_MISMATCH
      - CERT_EXPIRED
      - CERT_EXPIRING
      - CIDR_OVERLAP
      - CLUSTERIP
      - DATAPATH
      - ENCRYPTION
      - ENDPOINT_DUP
      - ID_BUGGY
      - ID_DUP
      - ID_RANGE
      - LOCAL_CERT
      - MAXCLUSTERS
      - MTU
      - NAME_DEFAULT
      - NAME_DUP
      - NAME_FORMAT
      - NATIVE_CIDR
      - NODEPORT_CLASH
      - NODES_UNREACHED
      - NODE_IP_DUP
      - NO_ENDPOINT
      - POLICY_SCOPE
      - SAN_MISSING
      - SVC_POD_OVERLAP
      - UNREACHABLE
      - VERSION_OLD
      - VERSION_SKEW
  cert_warn_days:
    description: Certificates that end in fewer days are warned of.
    type: int
    default: 30
  max_minor_skew:
    description: Minor versions of Cilium that two clusters may be apart.
    type: int
    default: 1
attributes:
  check_mode:
    description: Only judges. Empty records are left out, their clusters have no Cilium yet.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: The clusters can be one mesh
  opendata.platform.cilium_clustermesh_preflight:
    clusters: "{{ groups.clusters | map('extract', hostvars, ['mesh_self', 'cluster']) }}"
    underlay: {mtu: 1420}
    ignore: [POLICY_SCOPE]
  run_once: true
  register: mesh
"""

RETURN = """
ok:
  description: Whether there is no error.
  returned: always
  type: bool
findings:
  description: What was found, errors first.
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: CIDR_OVERLAP
      clusters: [north, south]
      message: pod CIDR 10.1.0.0/16 of 'north' overlaps 10.1.128.0/17 of 'south'
      fix: Build one of them with another pod range.
peers_by_cluster:
  description: For each cluster the option O(opendata.platform.cilium_clustermesh#module:peers), all the others.
  returned: success
  type: dict
  sample: {north: [{name: south, id: 2, endpoint: {ips: [10.77.0.12], address: "", port: 32379}}]}
"""

from dataclasses import asdict
from datetime import UTC, datetime

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.check import judge, peers
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.messages import RULES
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.shape import faults


def main() -> None:
    """Run the module."""
    underlay = {"mtu": {"type": "int", "default": 0}}
    module = ClusterModule(
        argument_spec={
            "clusters": {"type": "list", "elements": "dict", "required": True},
            "underlay": {"type": "dict", "default": {}, "options": underlay},
            "ignore": {"type": "list", "elements": "str", "default": [], "choices": sorted(RULES)},
            "cert_warn_days": {"type": "int", "default": 30},
            "max_minor_skew": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    # In check mode cilium_clustermesh_info returns an empty record where Cilium is not installed yet.
    records = [each for each in wanted["clusters"] if each or not module.check_mode]
    unreadable = faults(records)
    if unreadable:
        text = "\n".join(["These are no records of cilium_clustermesh_info:", *unreadable])
        module.fail_json(msg=text, ok=False, findings=[])
    found = judge(
        records,
        datetime.now(UTC),
        underlay_mtu=wanted["underlay"].get("mtu") or 0,
        cert_warn_days=wanted["cert_warn_days"],
        max_minor_skew=wanted["max_minor_skew"],
        ignore=wanted["ignore"],
    )
    errors = [str(each) for each in found if each.severity == "error"]
    for each in found:
        if each.severity == "warning":
            module.warn(str(each))
    shown = [asdict(each) for each in found]
    if errors:
        module.fail_json(msg="\n".join(errors), ok=False, findings=shown)
    module.exit_json(ok=True, findings=shown, peers_by_cluster=peers(records))


if __name__ == "__main__":
    main()
