# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Apply Kubernetes manifests server-side and write only what differs."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_apply
short_description: Apply Kubernetes manifests server-side and write only what differs
description:
  - Applies any number of objects in one task with server-side apply, CustomResourceDefinitions and Namespaces first.
  - An object whose desired fields are owned by O(field_manager) and have the desired values is only read. Any other
    existing object is applied as a dry run first, and written only if the result of the dry run differs from it.
  - Writes nothing of a stage before every existing object passed its dry run; all findings are reported at once.
  - Waits until the API server serves new CustomResourceDefinitions.
options:
  manifests: {description: Objects to apply., type: list, elements: dict, default: []}
  files: {description: YAML files with any number of objects to apply., type: list, elements: path, default: []}
  field_manager:
    description: Field manager of the server-side apply, which owns the fields.
    type: str
    default: odp
  force_conflicts:
    description: Take over fields that other managers own, instead of failing with owner and field.
    type: bool
    default: false
  prune_label:
    description:
      - Label, as key=value, to add to every object. Objects of an earlier run that are no longer among the manifests
        are removed, if they still have the label and fields that O(field_manager) applied.
      - A ConfigMap in namespace C(kube-system) whose name begins with C(applied-) lists the labelled objects.
      - Remove the label from an object to keep it.
    type: str
  prune_data:
    description:
      - Also remove Namespaces, PersistentVolumeClaims, CustomResourceDefinitions and Secrets. Otherwise they are kept
        and listed in RV(kept).
    type: bool
    default: false
  wait:
    description: Wait until the Deployments and DaemonSets among the manifests are rolled out.
    type: bool
    default: false
  wait_timeout: {description: Seconds to wait., type: int, default: 120}
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode:
    description:
      - Finds differences with a dry run by the API server, also for new objects.
      - An object whose Namespace or CustomResourceDefinition does not exist yet is reported as to be created.
    support: full
  diff_mode:
    description: Shows each object before and after; data of Secrets and schemas of CRDs as digests.
    support: full
"""

EXAMPLES = """
- name: Create the namespace of a team
  opendata.platform.k8s_apply:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    manifests:
      - {apiVersion: v1, kind: Namespace, metadata: {name: team}}

- name: Apply the roles of a team and remove obsolete ones
  opendata.platform.k8s_apply:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    files: [/srv/team/roles.yaml]
    prune_label: example.org/set=team-roles
"""

RETURN = """
counts:
  description: Number of objects by action.
  returned: always
  type: dict
  sample: {created: 1, changed: 0, unchanged: 10, removed: 0}
kept:
  description: Objects that O(prune_data) would remove.
  returned: always
  type: list
  elements: str
  sample: [Namespace team]
objects:
  description: Action on each object, planned in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{object: Namespace team, action: created}]
"""

from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import manifests, prune
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.apply import Applier, Change
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule, summary
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.prune import Pruner
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.rollout import settle


def read(module: ClusterModule) -> list[manifests.Manifest]:
    """Return the manifests of both options; fails with all findings at once."""
    wanted = list(module.params["manifests"])
    findings = manifests.findings(wanted)
    # What is noted of the call must not hold the data of Secrets.
    module.params["manifests"] = [manifests.name_of(each) for each in wanted]
    for path in module.params["files"]:
        try:
            loaded = manifests.load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            findings.append(f"{path} cannot be read: {error}")
            continue
        findings += [f"{path}: {finding}" for finding in manifests.findings(loaded)]
        wanted += loaded
    label = module.params["prune_label"]
    if label is not None and (finding := prune.finding(label, wanted)):
        findings.append(finding)
    if findings:
        module.fail_json(msg=f"These manifests cannot be applied: {'; '.join(findings)}.", findings=findings)
    return wanted


def counted(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result with the number of objects that were removed."""
    removed = sum(each["action"] == "removed" for each in result["objects"])
    return {**result, "counts": {**result["counts"], "removed": removed}}


def settled(module: ClusterModule, applier: Applier, wanted: list[manifests.Manifest]) -> None:
    """Wait until all is rolled out; fails with what is not, and what its pods say."""
    seconds = module.params["wait_timeout"]
    with module.reporting_api():
        lines = settle(applier.cluster, wanted, seconds)
    if lines:
        text = "\n".join([f"Not rolled out after {seconds} s:", *lines, "Fix what is named and run again."])
        module.fail_json(msg=text, findings=lines)


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "manifests": {"type": "list", "elements": "dict", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
            "field_manager": {"type": "str", "default": "odp"},
            "force_conflicts": {"type": "bool", "default": False},
            "prune_label": {"type": "str"},
            "prune_data": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 120},
        },
    )
    wanted, asked = read(module), module.params
    if module.planned:
        ordered = [each for stage in manifests.stages(wanted) for each in stage]
        result = summary([Change(each, "created", None, each) for each in ordered])
        module.exit_json(**counted(result), kept=[])
    options = (module.connect(), asked["field_manager"], asked["force_conflicts"], module.check_mode)
    if asked["prune_label"] is None:
        applier, kept = Applier(*options), []
        result = module.apply(applier, wanted)
    else:
        applier = Pruner(*options, label=asked["prune_label"], data=asked["prune_data"])
        result, kept = module.apply(applier, wanted), applier.kept
    if asked["wait"] and not module.check_mode:
        settled(module, applier, wanted)
    module.exit_json(**counted(result), kept=kept)


if __name__ == "__main__":
    main()
