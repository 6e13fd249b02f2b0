# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation that all modules share that connect to a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of `ClusterModule`, and the namespace of Cilium."""

    DOCUMENTATION = """
options:
  kubeconfig:
    description:
      - Path of the kubeconfig on the machine where the module runs.
      - In check mode the file may be missing (the cluster does not exist yet); everything is then reported as to be
        created.
    type: path
    required: true
  context:
    description: Context in the kubeconfig; its current context if omitted.
    type: str
requirements: [PyYAML, urllib3, kubernetes (for kubeconfigs with exec plugins or proxies)]
attributes:
  action_group:
    description: Set O(kubeconfig) and O(context) once, in C(module_defaults) of the action group.
    support: full
    membership: [opendata.platform.cluster]
author: [Open Data Platform contributors (@opendata)]
"""

    CILIUM = """
options:
  namespace:
    description: Namespace of Cilium.
    type: str
    default: kube-system
"""
