# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Revert manual changes to the objects of a Helm release, and compare the release with the wanted one."""

from __future__ import annotations

DOCUMENTATION = """
module: helm_release
short_description: Revert manual changes to the objects of a Helm release
description:
  - Compares the objects in the cluster with the manifest that Helm stored at the last install or upgrade. Reverts
    manual changes and deletions with server-side apply as field manager C(helm); writes nothing else.
  - Returns whether the release has the wanted chart version and values, without running helm.
  - Removes the pending revision of an interrupted helm, which would make helm fail.
  - Does not change a release that a HelmRelease of Flux in its namespace manages, unless it is
    suspended; waits until Flux has applied the wanted values.
options:
  name: {description: Name of the release., type: str, required: true}
  namespace: {description: Namespace of the release., type: str, required: true}
  flux_name:
    description: Name of the HelmRelease that delivers the release with Flux, if it is not the name of the release.
    type: str
  chart_version: {description: Wanted version of the chart., type: str, required: true}
  values: {description: "Wanted values, as passed to helm.", type: dict, required: true}
  wait_timeout: {description: Seconds to wait for Flux to apply the wanted values., type: int, default: 300}
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode: {description: Finds differences with a dry run by the API server., support: full}
  diff_mode: {description: Shows each object before and after; data of Secrets as digests., support: full}
"""

EXAMPLES = """
- name: Restore the objects of Cilium's release
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
  description: How the release differs from the wanted one, to follow its name; empty if it does not.
  returned: always
  type: str
  sample: is chart 1.20.1, wanted is 1.20.2
owner: {description: "What manages the release, C(helm) or C(flux).", returned: always, type: str}
suspended: {description: Whether there is a suspended HelmRelease., returned: always, type: bool}
counts:
  description: Number of objects by action.
  returned: always
  type: dict
  sample: {created: 0, changed: 1, unchanged: 17}
objects:
  description: Action on each object, planned in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{object: ConfigMap kube-system/cilium-config, action: changed}]
"""

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import helm_release, manifests
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.apply import Applier
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule, summary

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
        release = of_flux(cluster, namespace, module.params["flux_name"] or name)[0] or {}
        why = "; ".join(
            each["message"]
            for each in (release.get("status") or {}).get("conditions") or []
            if each["type"] == "Ready" and each["status"] != "True"
        )
        text = f"Flux has not applied the new values of release {name} within {seconds} s: {why or 'no reason given'}."
        module.fail_json(msg=f"{text} If Flux cannot work, take over the release: ./odp rescue INVENTORY")


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "flux_name": {"type": "str"},
            "chart_version": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True},
            "wait_timeout": {"type": "int", "default": 300},
        },
    )
    wanted = module.params["values"]
    module.params["values"] = "not shown: may hold secrets"
    if module.planned:
        module.exit_json(gap=helm_release.gap(None, "", {}), owner="helm", suspended=False, **summary([]))
    cluster = module.connect()
    namespace = module.params["namespace"]
    with module.reporting_api():
        delivered, suspended = of_flux(cluster, namespace, module.params["flux_name"] or module.params["name"])
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
    stored = manifests.load(release["manifest"]) if release and status == "deployed" else []
    installed = [helm_release.as_installed(each, module.params["name"], namespace) for each in stored]
    # Forced, because whoever altered a field by hand owns it now.
    applier = Applier(cluster, "helm", force=True, check=module.check_mode, namespace=namespace)
    result = module.apply(applier, installed) if installed else summary([])
    module.exit_json(gap=gap, owner="helm", suspended=suspended, **{**result, "changed": result["changed"] or pending})


if __name__ == "__main__":
    main()
