# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read an existing cluster: permissions, nodes, network, addresses. Writes nothing."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..cilium import adoption
from ..kubernetes.client import CONNECTIONS, Cluster
from . import kubeconfig
from .kubeconfig import Api
from .preflight import EVERYTHING, Right, State

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
_SERVICE = "/api/v1/namespaces/default/services/kubernetes"


def missing_rights(cluster: Cluster, wanted: list[Right]) -> list[Right]:
    """Return the permissions that the user lacks. An administrator needs one review; none is stored."""

    def allowed(right: Right) -> bool:
        resource, _, part = right.resource.partition("/")
        asked = {"verb": right.verb, "group": right.group, "resource": resource, "namespace": right.namespace}
        asked |= {"subresource": part} if part else {}
        review = cluster.request("POST", _REVIEWS, body={"spec": {"resourceAttributes": asked}})
        return bool(review["status"]["allowed"])

    if allowed(EVERYTHING):
        return []
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [right for right, given in zip(wanted, pool.map(allowed, wanted), strict=True) if not given]


def read(cluster: Cluster, entry: dict[str, Any], endpoint: tuple[str, int] | None) -> State:
    """Return the state that the preflight judges.

    :param entry: the cluster's entry of the kubeconfig.
    :param endpoint: host and port of the API that the inventory names; None if it names none.
    """

    def items(path: str, **query: str) -> list[dict[str, Any]]:
        return list((cluster.get(path, query) or {}).get("items") or [])

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        version = pool.submit(cluster.request, "GET", "/version")
        nodes = pool.submit(items, "/api/v1/nodes")
        daemon_sets = pool.submit(items, "/apis/apps/v1/daemonsets")
        proxies = pool.submit(items, _SYSTEM_PODS, labelSelector="component=kube-proxy", limit="1")
        crds = pool.submit(cluster.names, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "")
        ranges = pool.submit(service_ranges, cluster)
        api = pool.submit(where_api_is, cluster, entry, endpoint)
    return State(
        kubernetes=version.result()["gitVersion"],
        nodes=nodes.result(),
        daemon_sets=daemon_sets.result(),
        proxy_pods=proxies.result(),
        crds=[each["name"] for each in crds.result()],
        service_ranges=ranges.result(),
        cilium=adoption.found(cluster, daemon_sets.result()),
        api=api.result(),
    )


def service_ranges(cluster: Cluster) -> list[str]:
    """Return the ranges of the ServiceCIDR objects; before Kubernetes 1.33 the address of one Service alone."""
    listing = cluster.get("/apis/networking.k8s.io/v1/servicecidrs") or {}
    ranges = [cidr for each in listing.get("items") or [] for cidr in each["spec"].get("cidrs") or []]
    return ranges or [*((cluster.get(_SERVICE) or {"spec": {}})["spec"].get("clusterIPs") or [])]


def where_api_is(cluster: Cluster, entry: dict[str, Any], endpoint: tuple[str, int] | None) -> Api:
    """Return where Cilium will reach the API server: as the inventory names it, or as detected."""
    if endpoint:
        return Api(*endpoint, "cluster_endpoint")
    slices = (cluster.get(_SLICES, {"labelSelector": "kubernetes.io/service-name=kubernetes"}) or {}).get("items") or []
    endpoints = [
        (address, port["port"])
        for each in slices
        for port in (each.get("ports") or [])[:1]
        for one in each.get("endpoints") or []
        for address in one["addresses"]
    ]
    return kubeconfig.choose_api(entry, resolve(kubeconfig.address_of(entry["server"])[0]), endpoints)


def resolve(host: str) -> list[str]:
    """Return the addresses of a name, sorted; none if it is unknown. An address is its own."""
    with contextlib.suppress(OSError):
        return sorted({str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)})
    return []
