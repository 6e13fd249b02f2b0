# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Delete Kubernetes objects and wait until they are gone."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_delete
short_description: Delete Kubernetes objects and wait until they are gone
version_added: 0.2.0
description:
  - Deletes any number of objects at the same time, then waits until all of them are gone. Namespaces take several
    seconds each, so this is faster than one object after the other.
  - An object that does not exist, or whose kind the cluster does not know, is not an error.
options:
  objects:
    description:
      - Objects to delete. Only C(apiVersion), C(kind), C(metadata.name) and C(metadata.namespace) are used.
    type: list
    elements: dict
    required: true
  wait_timeout: {description: Seconds to wait., type: int, default: 120}
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode: {description: Reads the objects and deletes nothing., support: full}
  diff_mode: {description: Shows each object; data of Secrets as digests., support: full}
"""

EXAMPLES = """
- name: Delete the namespaces of a trial
  opendata.platform.k8s_delete:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    objects:
      - {apiVersion: v1, kind: Namespace, metadata: {name: trial}}
      - {apiVersion: v1, kind: Namespace, metadata: {name: trial-data}}
"""

RETURN = """
objects:
  description: Objects that existed, with C(removed) as their action; planned in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{object: Namespace trial, action: removed}]
"""

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import delete, manifests
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.apply import Change, Refused
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule, summary


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "objects": {"type": "list", "elements": "dict", "required": True},
            "wait_timeout": {"type": "int", "default": 120},
        },
    )
    wanted, seconds = list(module.params["objects"]), module.params["wait_timeout"]
    # The recorded arguments must not hold the data of Secrets.
    if findings := manifests.findings(wanted):
        module.params["objects"] = []
        module.fail_json(msg=f"These objects cannot be deleted: {'; '.join(findings)}.", findings=findings)
    module.params["objects"] = [manifests.name_of(each) for each in wanted]
    if module.planned:
        module.exit_json(**summary([]))
    cluster = module.connect()
    with module.reporting_api(Refused):
        found = delete.find(cluster, wanted)
        left = [] if module.check_mode else delete.delete(cluster, found, seconds)
    if left:
        text = "\n".join([f"Not deleted after {seconds} s:", *left, "Remove what blocks the deletion and run again."])
        module.fail_json(msg=text, findings=left)
    module.exit_json(**summary([Change(each.live, "removed", each.live) for each in found]))


if __name__ == "__main__":
    main()
