# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which permissions the stages need in an existing cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Right(NamedTuple):
    """One SelfSubjectAccessReview; an empty namespace means all of them."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource} in {self.namespace}" if self.namespace else f"{self.verb} {resource}"


EVERYTHING = Right("*", "*", "*")
_SYSTEM, _FLUX = "kube-system", "flux-system"
_RBAC, _CRDS = "rbac.authorization.k8s.io", "apiextensions.k8s.io"

# What this module and the status stage read.
READ = (
    Right("list", "", "nodes"),
    Right("list", "", "pods", _SYSTEM),
    Right("get", "", "services", "default"),
    Right("list", "apps", "daemonsets"),
    Right("list", "discovery.k8s.io", "endpointslices", "default"),
    Right("list", _CRDS, "customresourcedefinitions"),
)
# For helm and server-side apply of the objects in Cilium's chart and of the Gateway API's resources.
_CILIUM = (
    *(Right("patch", "", each, _SYSTEM) for each in ("configmaps", "secrets", "serviceaccounts", "services")),
    *(Right("patch", "apps", each, _SYSTEM) for each in ("daemonsets", "deployments")),
    *(Right("patch", _RBAC, each, _SYSTEM) for each in ("roles", "rolebindings")),
    *(Right("patch", _RBAC, each) for each in ("clusterroles", "clusterrolebindings")),
    # Without it the API server refuses a role with more permissions than its author has.
    Right("escalate", _RBAC, "clusterroles"),
    Right("patch", _CRDS, "customresourcedefinitions"),
    Right("list", "", "secrets", _SYSTEM),
)
_MESH = (Right("create", "", "pods/exec", _SYSTEM),)
_OF_FLUX = (
    Right("patch", "", "namespaces"),
    Right("patch", "", "secrets"),
    Right("patch", "apps", "deployments", _FLUX),
    Right("patch", _CRDS, "customresourcedefinitions"),
    Right("patch", _RBAC, "clusterrolebindings"),
    Right("bind", _RBAC, "clusterroles"),
)


def needed(cilium: bool, mesh: bool, flux: bool) -> list[Right]:
    """Permissions for the stages that this cluster takes part in, each once, those to read first."""
    wanted = [*READ, *(_CILIUM if cilium else ()), *(_MESH if mesh else ()), *(_OF_FLUX if flux else ())]
    return list(dict.fromkeys(wanted))


def words(missing: Iterable[Right]) -> str:
    """All missing permissions in one sentence."""
    return f"its user lacks these permissions: {'; '.join(map(str, missing))}"
