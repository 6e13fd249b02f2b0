# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the documentation of all modules shares that talk to a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of `CLUSTER_OPTIONS`, and the namespace of Cilium."""

    DOCUMENTATION = """
options:
  kubeconfig:
    description:
      - Path of the kubeconfig on the machine where the module runs.
      - In check mode it may be absent (the cluster is not made yet); everything is then to be made.
    type: path
    required: true
  context:
    description: Context in the kubeconfig; its current context when left out.
    type: str
"""

    CILIUM = """
options:
  namespace:
    description: Namespace of Cilium.
    type: str
    default: kube-system
"""
