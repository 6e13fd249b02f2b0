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
  - Leaves a release alone that a HelmRelease of Flux with the same name and namespace delivers, unless that is
    suspended. It then waits until Flux has given the release the wanted values.
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
  wait_timeout:
    description: Seconds until Flux must have given the release the wanted values.
    type: int
    default: 300
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode:
    description: Differences are found by the API server's own dry run.
    support: full
  diff_mode:
    description: Shows each object before and after; data of Secrets as digests.
    support: full
author: Open Data Platform contributors (@opendata)
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
owner:
  description: Who delivers the release, C(helm) or C(flux).
  returned: always
  type: str
suspended:
  description: Whether there is a HelmRelease that is suspended.
  returned: always
  type: bool
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

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import helm_release
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import manifests as kubernetes_manifests
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.apply import Applier
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import (
    CLUSTER_OPTIONS,
    ClusterModule,
    summary,
)

_HELM_RELEASES = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/%s/helmreleases"


def of_flux(cluster: Cluster, namespace: str, name: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the HelmRelease that delivers this release, if any, and whether one is suspended."""
    found = cluster.get(f"{_HELM_RELEASES % namespace}/{name}")
    suspended = bool(found and found["spec"].get("suspend"))
    return (None if suspended else found), suspended


def taken_up(module: ClusterModule, cluster: Cluster, wanted: dict[str, Any]) -> None:
    """Wait until Flux has given the release the wanted values; fails with the reason that Flux gives."""
    name, namespace, seconds = (module.params[key] for key in ("name", "namespace", "wait_timeout"))

    def ready(_items: list[dict[str, Any]]) -> bool:
        release = helm_release.newest(cluster, namespace, name)[1]
        return release is not None and not helm_release.gap(release, release["chart"]["metadata"]["version"], wanted)

    secrets, selector = f"/api/v1/namespaces/{namespace}/secrets", f"owner=helm,name={name}"
    if not cluster.wait(secrets, ready, seconds, labelSelector=selector)[0]:
        release = cluster.get(f"{_HELM_RELEASES % namespace}/{name}") or {}
        why = "; ".join(
            each["message"]
            for each in (release.get("status") or {}).get("conditions") or []
            if each["type"] == "Ready" and each["status"] != "True"
        )
        text = f"Flux has not given release {name} its new values within {seconds} s: {why or 'it says nothing'}."
        module.fail_json(msg=f"{text} If Flux cannot work, take the release back: ./odp rescue INVENTORY")


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "chart_version": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    wanted = module.params["values"]
    module.params["values"] = "not shown: may hold secrets"
    if module.planned:
        module.exit_json(gap=helm_release.gap(None, "", {}), owner="helm", suspended=False, **summary([]))
    cluster = module.connect()
    namespace = module.params["namespace"]
    try:
        delivered, suspended = of_flux(cluster, namespace, module.params["name"])
        path, release = helm_release.newest(cluster, namespace, module.params["name"])
        gap = helm_release.gap(release, module.params["chart_version"], wanted)
        if delivered:
            if gap and not module.check_mode:
                taken_up(module, cluster, wanted)
            module.exit_json(gap=gap, owner="flux", suspended=False, **summary([]))
        status = release["info"]["status"] if release else ""
        pending = status.startswith("pending-")
        if pending and not module.check_mode:
            cluster.request("DELETE", path)
    except (ApiError, Unreachable) as error:
        module.fail_json(msg=f"{error}.")
    stored = kubernetes_manifests.load(release["manifest"]) if release and status == "deployed" else []
    manifests = [helm_release.as_installed(each, module.params["name"], namespace) for each in stored]
    # Forced, because whoever altered a field by hand owns it now.
    applier = Applier(cluster, "helm", force=True, check=module.check_mode, namespace=namespace)
    result = module.apply(applier, manifests) if manifests else summary([])
    module.exit_json(gap=gap, owner="helm", suspended=suspended, **{**result, "changed": result["changed"] or pending})


if __name__ == "__main__":
    main()
