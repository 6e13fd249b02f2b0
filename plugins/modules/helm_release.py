# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Mend the objects of an installed Helm release, and say what the release lacks."""

from __future__ import annotations

DOCUMENTATION = """
module: helm_release
short_description: Mend the objects of an installed Helm release, and say what the release lacks
description:
  - Compares the objects in the cluster with the manifest that Helm stored at the last install or upgrade.
    What was altered or removed by hand is set back, in Helm's own name, by server-side apply; nothing else is written.
  - Says whether the release is of the wanted chart version and values, without running helm.
  - Removes the revision that a killed helm left pending; otherwise helm refuses to go on.
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  chart_version:
    description: Wanted version of the chart.
    type: str
    required: true
  values:
    description: Wanted values, as they are given to helm.
    type: dict
    required: true
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode:
    description: Differences are found by the API server's own dry run.
    support: full
  diff_mode:
    description: Shows each object before and after; data of Secrets as digests.
    support: full
requirements: [PyYAML, urllib3, kubernetes (for kubeconfigs with exec plugins or proxies)]
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: Release of Cilium is as Helm left it
  opendata.platform.helm_release:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    name: cilium
    namespace: kube-system
    chart_version: 1.20.2
    values: {kubeProxyReplacement: true}
  register: release
"""

RETURN = """
gap:
  description: What the release lacks, in words that follow its name; empty if it is as wanted.
  returned: always
  type: str
  sample: is chart 1.20.1, wanted is 1.20.2
counts:
  description: How many objects there are of each action.
  returned: always
  type: dict
  sample: {created: 0, changed: 1, unchanged: 17}
objects:
  description: What was done, or would be done, with each object.
  returned: always
  type: list
  elements: dict
  sample: [{object: ConfigMap kube-system/cilium-config, action: changed}]
"""

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils import _helm_release, _manifests
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_apply import Applier
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils._kubernetes_module import (
    CLUSTER_OPTIONS,
    ClusterModule,
    summary,
)


def newest(cluster: Cluster, secrets: str, name: str) -> tuple[str, dict[str, Any] | None]:
    """Return the path of the release's newest Secret and what it holds; None if there is no release."""
    found = cluster.names(secrets, f"owner=helm,name={name}")
    if not found:
        return "", None
    path = f"{secrets}/{max(found, key=lambda each: int(each['labels']['version']))['name']}"
    return path, _helm_release.decode(cluster.request("GET", path)["data"]["release"])


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "chart_version": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params["values"]
    module.params["values"] = "not shown: may hold secrets"
    if module.planned:
        module.exit_json(gap=_helm_release.gap(None, "", {}), **summary([]))
    cluster = module.connect()
    namespace = module.params["namespace"]
    try:
        path, release = newest(cluster, f"/api/v1/namespaces/{namespace}/secrets", module.params["name"])
        gap = _helm_release.gap(release, module.params["chart_version"], wanted)
        status = release["info"]["status"] if release else ""
        pending = status.startswith("pending-")
        if pending and not module.check_mode:
            cluster.request("DELETE", path)
    except (ApiError, Unreachable) as error:
        module.fail_json(msg=f"{error}.")
    stored = _manifests.load(release["manifest"]) if release and status == "deployed" else []
    manifests = [_helm_release.as_installed(each, module.params["name"], namespace) for each in stored]
    # Forced, because whoever altered a field by hand owns it now.
    applier = Applier(cluster, "helm", force=True, check=module.check_mode, namespace=namespace)
    result = module.apply(applier, manifests) if manifests else summary([])
    module.exit_json(gap=gap, **{**result, "changed": result["changed"] or pending})


if __name__ == "__main__":
    main()
