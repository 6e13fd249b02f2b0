# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check whether clusters can be joined into one Cluster Mesh."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh_preflight
short_description: Check whether clusters can be joined into one Cilium Cluster Mesh
description:
  - Checks the records of M(opendata.platform.cilium_clustermesh_info), each on its own and all together.
    Connects to no cluster.
  - Fails with all errors at once, each with its code, the clusters, and the next step. Warns about what works but is
    probably a mistake.
  - Certificates are checked only in clusters that have some; M(opendata.platform.cilium_clustermesh_certs) may run
    afterwards.
  - Run it with C(run_once) and the records of every cluster of the mesh, including those that C(--limit) excludes.
options:
  clusters:
    description: Records of the clusters, as returned in RV(opendata.platform.cilium_clustermesh_info#module:cluster).
    type: list
    elements: dict
    required: true
  underlay:
    description: Properties of the network between the nodes of different clusters.
    type: dict
    default: {}
    suboptions:
      mtu: {description: MTU between the nodes in bytes; V(0) if unknown., type: int, default: 0}
  ignore:
    description: Codes of findings to ignore.
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
  cert_warn_days: {description: Warn about certificates that expire in fewer days., type: int, default: 30}
  max_minor_skew: {description: How many minor versions of Cilium two clusters may be apart., type: int, default: 1}
attributes:
  check_mode: {description: "Only reads. Empty records, of clusters without Cilium, are skipped."}
extends_documentation_fragment: [opendata.platform.reads]
"""

EXAMPLES = """
- name: Check that the clusters can be one mesh
  opendata.platform.cilium_clustermesh_preflight:
    clusters: "{{ groups.clusters | map('extract', hostvars, ['mesh_self', 'cluster']) }}"
    underlay: {mtu: 1420}
    ignore: [POLICY_SCOPE]
  run_once: true
  register: mesh
"""

RETURN = """
ok: {description: Whether there is no error., returned: always, type: bool}
findings:
  description: All findings, errors first.
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: CIDR_OVERLAP
      clusters: [north, south]
      problem: pod CIDR 10.1.0.0/16 of 'north' overlaps 10.1.128.0/17 of 'south'
      step: Recreate one of them with another pod CIDR.
peers_by_cluster:
  description: All other clusters by cluster, for O(opendata.platform.cilium_clustermesh#module:peers).
  returned: success
  type: dict
  sample: {north: [{name: south, id: 2, endpoint: {ips: [10.77.0.12], address: "", port: 32379}}]}
"""

from datetime import UTC, datetime

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ControllerModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.check import judge, peers
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.messages import RULES
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.shape import faults


def main() -> None:
    """Run the module."""
    underlay = {"mtu": {"type": "int", "default": 0}}
    module = ControllerModule(
        {
            "clusters": {"type": "list", "elements": "dict", "required": True},
            "underlay": {"type": "dict", "default": {}, "options": underlay},
            "ignore": {"type": "list", "elements": "str", "default": [], "choices": sorted(RULES)},
            "cert_warn_days": {"type": "int", "default": 30},
            "max_minor_skew": {"type": "int", "default": 1},
        },
    )
    wanted = module.params
    # In check mode cilium_clustermesh_info returns an empty record where Cilium is not installed yet.
    records = [each for each in wanted["clusters"] if each or not module.check_mode]
    if unreadable := faults(records):
        text = "\n".join(["These are not records of cilium_clustermesh_info:", *unreadable])
        module.fail_json(msg=text, ok=False, findings=[])
    found = judge(
        records,
        datetime.now(UTC),
        underlay_mtu=wanted["underlay"].get("mtu") or 0,
        cert_warn_days=wanted["cert_warn_days"],
        max_minor_skew=wanted["max_minor_skew"],
        ignore=wanted["ignore"],
    )
    errors = module.warn_of(found)
    shown = [
        {"severity": each.severity, "code": each.code, "clusters": each.subject.split(", ")}
        | {"problem": each.problem, "step": each.step}
        for each in found
    ]
    if errors:
        module.fail_json(msg="\n".join(errors), ok=False, findings=shown)
    module.exit_json(ok=True, findings=shown, peers_by_cluster=peers(records))


if __name__ == "__main__":
    main()
