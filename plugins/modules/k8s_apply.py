# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Apply Kubernetes manifests server-side and write only what differs."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_apply
short_description: Apply Kubernetes manifests server-side and write only what differs
description:
  - Applies any number of objects in one task by server-side apply, CustomResourceDefinitions and Namespaces first.
  - An object whose desired fields are owned by O(field_manager) and have the desired values is only read.
    Any other one is dry-run applied, and written only when the dry run's result differs from what is there.
  - Nothing of a stage is written before every object of it passed its dry run; all findings are reported at once.
  - Waits until the API server serves the CustomResourceDefinitions that it wrote.
options:
  manifests:
    description: Objects to apply.
    type: list
    elements: dict
    default: []
  files:
    description: YAML files with objects to apply, each with any number of documents.
    type: list
    elements: path
    default: []
  field_manager:
    description: Name under which the API server notes who owns the fields.
    type: str
    default: odp
  force_conflicts:
    description: Take fields over that others own, instead of refusing with the owner's name and the field.
    type: bool
    default: false
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode:
    description: Differences are found by the API server's own dry run.
    support: full
  diff_mode:
    description: Shows each object before and after; data of Secrets and schemas of CRDs as digests.
    support: full
requirements: [PyYAML, urllib3, kubernetes (for kubeconfigs with exec plugins or proxies)]
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: Gateway API is known to the cluster
  opendata.platform.k8s_apply:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    files: [/srv/artifacts/gateway-api.yaml]

- name: Namespace of the team exists
  opendata.platform.k8s_apply:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    manifests:
      - {apiVersion: v1, kind: Namespace, metadata: {name: team}}
"""

RETURN = """
counts:
  description: How many objects there are of each action.
  returned: always
  type: dict
  sample: {created: 1, changed: 0, unchanged: 10}
objects:
  description: What was done, or would be done, with each object.
  returned: always
  type: list
  elements: dict
  sample: [{object: Namespace team, action: created}]
"""

from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils import _manifests
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_apply import Applier, Change
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_module import (
    CLUSTER_OPTIONS,
    ClusterModule,
    summary,
)


def read(module: ClusterModule) -> list[_manifests.Manifest]:
    """Return the manifests of both options; fails with all findings at once."""
    wanted = list(module.params["manifests"])
    findings = _manifests.findings(wanted)
    # What is noted of the call must not hold the data of Secrets.
    module.params["manifests"] = [_manifests.name_of(each) for each in wanted]
    for path in module.params["files"]:
        try:
            loaded = _manifests.load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            findings.append(f"{path} cannot be read: {error}")
            continue
        findings += [f"{path}: {finding}" for finding in _manifests.findings(loaded)]
        wanted += loaded
    if findings:
        module.fail_json(msg=f"These manifests cannot be applied: {'; '.join(findings)}.", findings=findings)
    return wanted


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "manifests": {"type": "list", "elements": "dict", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
            "field_manager": {"type": "str", "default": "odp"},
            "force_conflicts": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted = read(module)
    if module.planned:
        ordered = [each for stage in _manifests.stages(wanted) for each in stage]
        module.exit_json(**summary([Change(each, "created", None, each) for each in ordered]))
    applier = Applier(
        module.connect(), module.params["field_manager"], module.params["force_conflicts"], module.check_mode
    )
    module.exit_json(**module.apply(applier, wanted))


if __name__ == "__main__":
    main()
