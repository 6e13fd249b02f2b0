# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check whether an existing Cilium can be adopted, and what that would change."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_adoption
short_description: Check whether an existing Cilium can be adopted
description:
  - Compares version and values of the Helm release of a Cilium that the platform did not install with those of the
    platform, and shows each difference.
  - Fails with the differences unless O(adopt). Always fails if the release cannot be adopted, with the next step.
  - Does nothing without Cilium, or if the platform installed it. Only reads.
options:
  name: {description: "Name of the cluster, for messages.", type: str, required: true}
  chart_version: {description: Version of the chart that the platform installs., type: str, required: true}
  values: {description: Values that the platform installs with., type: dict, required: true}
  adopt: {description: Whether to adopt the release., type: bool, default: false}
extends_documentation_fragment: [opendata.platform.reads, opendata.platform.cluster]
attributes:
  diff_mode: {description: Only reads; the differences are a result.}
"""

EXAMPLES = """
- name: Check whether the existing Cilium can be adopted
  opendata.platform.cilium_adoption:
    name: aws
    kubeconfig: /srv/fleet/.state/kubeconfigs/aws
    chart_version: 1.20.2
    values: {kubeProxyReplacement: true}
    adopt: true
"""

RETURN = """
release: {description: Name of the existing Helm release; C(cilium) if there is none., returned: always, type: str}
summary:
  description: The change of version and the number of values that differ; empty if nothing is adopted.
  returned: always
  type: str
differences:
  description: Each value that would change, existing and ours; possible secrets as digests.
  returned: always
  type: list
  elements: str
  sample: ["kubeProxyReplacement: theirs false (the default), ours true"]
adopts: {description: Whether an existing release is adopted., returned: always, type: bool}
"""

from ansible_collections.opendata.platform.plugins.module_utils.cilium import adoption
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import helm_release
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule

NOTHING = {"release": "cilium", "summary": "", "differences": [], "adopts": False}


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "name": {"type": "str", "required": True},
            "chart_version": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True},
            "adopt": {"type": "bool", "default": False},
        },
    )
    name, wanted, version = (module.params[key] for key in ("name", "values", "chart_version"))
    module.params["values"] = "not shown: may hold secrets"
    if module.planned:
        module.exit_json(**NOTHING)
    cluster = module.connect()
    with module.reporting_api():
        daemon_sets = cluster.request("GET", "/apis/apps/v1/daemonsets")["items"]
        there = adoption.found(cluster, daemon_sets)
        if not there or there["ours"]:
            module.exit_json(**{**NOTHING, "release": (there or {}).get("release") or NOTHING["release"]})
        if there["problem"]:
            where = f"DaemonSet {there['namespace']}/{there['daemon_set']}"
            module.fail_json(msg=f"{name}: {there['problem']} ({where}). {there['step']}")
        release = helm_release.newest(cluster, adoption.NAMESPACE, there["release"])[1] or {}
    chart = release["chart"]
    who, theirs = f"{name}: helm release {there['release']} of Cilium", chart["metadata"]["version"]
    if problem := adoption.version_problem(theirs, version):
        module.fail_json(msg=f"{who} {problem}.")
    status = release["info"]["status"]
    if status != "deployed":
        step = f"Fix it first: helm -n {adoption.NAMESPACE} history {there['release']}"
        module.fail_json(msg=f"{who} is not deployed but {status}. {step}")
    differences = adoption.differences(release.get("config") or {}, chart.get("values") or {}, wanted)
    change = "has our version" if theirs == version else f"would go from {theirs} to {version}"
    heading = f"{who} {change}, {len(differences)} values differ"
    if not module.params["adopt"]:
        step = "Copy what must stay to cilium_values and set cilium_adopt: true; or keep it: cilium_enabled: false."
        module.fail_json(msg="\n".join([f"{heading}:", *differences, step]), differences=differences)
    module.exit_json(release=there["release"], summary=heading, differences=differences, adopts=True)


if __name__ == "__main__":
    main()
