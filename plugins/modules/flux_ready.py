# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Wait until everything that Flux delivers in a cluster is ready."""

from __future__ import annotations

DOCUMENTATION = """
module: flux_ready
short_description: Wait until everything that Flux delivers in a cluster is ready
description:
  - Watches the Kustomizations of O(namespace), and HelmReleases and sources of all namespaces, until all are ready
    at the same time. Kinds that the cluster does not serve are left out.
  - A Kustomization is ready when it has applied the wanted revision of its source and its health checks pass.
    Any other object is ready when its controller reports so for its current generation.
  - Suspended objects are listed, but not waited for.
  - Flux retries after most failures. A failure is final when the controller gave up (condition C(Stalled)), or when the
    Kustomization's own C(spec.timeout) has passed since its dependencies became ready. The wait ends early when only
    final failures and objects that wait for them are left.
options:
  namespace: {description: Namespace of the Kustomizations and of O(source)., type: str, default: flux-system}
  source:
    description: Name of the OCIRepository or GitRepository that O(revision) belongs to.
    type: str
    default: platform
  revision:
    description:
      - Revision that O(source), and each Kustomization that uses it, must have.
      - Other Kustomizations, and all of them when this is left out, must have the current revision of their source.
    type: str
    default: ""
  wait: {description: Watch until everything is ready; otherwise read once., type: bool, default: true}
  wait_timeout: {description: Seconds to wait at most., type: int, default: 900, aliases: [timeout]}
  fail_when_unhealthy:
    description:
      - Fail with the reason of each object that is not ready, and the last events and log lines of failing pods.
        Not in check mode.
    type: bool
    default: true
extends_documentation_fragment: [opendata.platform.reads, opendata.platform.cluster]
attributes:
  check_mode: {description: "Only reads, and does not wait."}
"""

EXAMPLES = """
- name: Wait for the published revision
  opendata.platform.flux_ready:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    revision: latest@sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270
    wait_timeout: 1200

- name: Read the state of the services
  opendata.platform.flux_ready:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    wait: false
    fail_when_unhealthy: false
  register: platform_flux
"""

RETURN = """
services:
  description:
    - The objects of Flux, by kind. Empty in check mode where there is no cluster yet.
    - C(state) is C(ready), C(waiting), C(failed) or C(suspended); C(reason) is what is missing, C(seconds) the time
      until it was ready.
  returned: always
  type: list
  elements: dict
  sample:
    - name: dagster
      kind: Kustomization
      namespace: flux-system
      state: waiting
      ready: false
      revision: latest@sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270
      reason: "timeout waiting for: [Deployment/dagster/dagster-webserver status: 'InProgress']"
described:
  description: The services of the cluster, from the ConfigMap that role C(service) writes.
  returned: always
  type: list
  elements: dict
  sample: [{name: dagster, namespace: dagster, host: dagster, version: 1.13.27}]
reason:
  description: What is not ready, one line for each object, or why the cluster does not answer. Empty when all is ready.
  returned: always
  type: str
details: {description: Last events and log lines of failing pods., returned: always, type: list, elements: str}
"""

import time
from functools import partial
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.flux import report as flux_report
from ansible_collections.opendata.platform.plugins.module_utils.flux.readiness import Key, State, judge
from ansible_collections.opendata.platform.plugins.module_utils.flux.watch import Flux, diagnose
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.service import catalogue


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "namespace": {"default": "flux-system"},
            "source": {"default": "platform"},
            "revision": {"default": ""},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 900, "aliases": ["timeout"]},
            "fail_when_unhealthy": {"type": "bool", "default": True},
        },
    )
    if module.planned:
        module.exit_json(services=[], described=[], reason="", details=[])
    wanted = module.params
    states: list[State] = []
    took: dict[Key, float] = {}
    details: dict[Key, list[str]] = {}
    described: list[dict[str, Any]] = []
    start, waited = time.monotonic(), 0.0
    try:
        cluster = Cluster(wanted["kubeconfig"], wanted["context"])
        rules = {name: wanted[name] for name in ("revision", "source", "namespace")}
        flux = Flux(cluster, wanted["namespace"], partial(judge, **rules))
        if wanted["wait"] and not module.check_mode:
            states, took = flux.settle(wanted["wait_timeout"])
            waited = time.monotonic() - start
        else:
            states = flux.read()
        described = catalogue.entries(cluster.get(catalogue.PATH))
        reason = flux_report.reason(states)
        details = diagnose(cluster, states)
        text = flux_report.failure(states, details, wanted["revision"], waited)
    except (ApiError, Unreachable) as error:
        reason, text = str(error), f"{error}."
    result = {
        "services": flux_report.services(states, took),
        "described": described,
        "reason": reason,
        "details": [line for lines in details.values() for line in lines],
    }
    if reason and wanted["fail_when_unhealthy"] and not module.check_mode:
        module.fail_json(msg=text, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
