# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Annotations of Services of type LoadBalancer in each cloud. Pure.

The table of the clouds' pages in docs/, which a test compares. Each row names its source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MESH, GATEWAY = "clustermesh-apiserver", "Gateway"


@dataclass(frozen=True)
class Annotation:
    """One annotation.

    services: the Services that need it, MESH (internal, for other clusters) or GATEWAY (for users).
    """

    cloud: str
    services: tuple[str, ...]
    name: str
    value: str
    why: str
    source: str


_AWS = "https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/"
_CILIUM = "https://docs.cilium.io/en/v1.20/network/clustermesh/setup/"
_GOOGLE = "https://docs.cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer"
_AZURE = "https://kubernetes-sigs.github.io/cloud-provider-azure/topics/loadbalancer"
_OPENSTACK = "https://pkg.go.dev/k8s.io/cloud-provider-openstack/pkg/openstack"
_BOTH = (MESH, GATEWAY)
_AWS_PREFIX, _AZURE_PREFIX = "service.beta.kubernetes.io/aws-load-balancer", "service.beta.kubernetes.io/azure"

ANNOTATIONS = (
    Annotation("aws", _BOTH, f"{_AWS_PREFIX}-type", "external", "selects the AWS Load Balancer Controller", _AWS),
    Annotation("aws", _BOTH, f"{_AWS_PREFIX}-nlb-target-type", "instance", "pods have no VPC addresses", _AWS),
    Annotation("aws", (MESH,), f"{_AWS_PREFIX}-scheme", "internal", "reachable from the VPC and its peers", _AWS),
    Annotation("aws", (GATEWAY,), f"{_AWS_PREFIX}-scheme", "internet-facing", "the default is internal", _AWS),
    Annotation("gcp", (MESH,), "networking.gke.io/load-balancer-type", "Internal", "reachable from the VPC", _CILIUM),
    Annotation(
        "gcp",
        (MESH,),
        "networking.gke.io/internal-load-balancer-allow-global-access",
        "true",
        "reachable from other regions too",
        _CILIUM,
    ),
    Annotation(
        "gcp", (GATEWAY,), "cloud.google.com/l4-rbs", "enabled", "the newer type, based on backend services", _GOOGLE
    ),
    Annotation("azure", (MESH,), f"{_AZURE_PREFIX}-load-balancer-internal", "true", "the default is public", _AZURE),
    Annotation(
        "ovh",
        (MESH,),
        "service.beta.kubernetes.io/openstack-internal-load-balancer",
        "true",
        "no floating IP",
        _OPENSTACK,
    ),
)


def annotation_table(cloud: str, rows: Iterable[Annotation] = ANNOTATIONS) -> str:
    """The rows of a cloud as a Markdown table."""
    chosen = [one for one in rows if one.cloud == cloud]
    cells = [
        (", ".join(one.services), f'`{one.name}: "{one.value}"`', f"{one.why} ([source]({one.source}))")
        for one in chosen
    ]
    lines = [("Service", "annotation", "why"), ("---",) * 3, *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
