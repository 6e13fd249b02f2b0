# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Delete objects of a cluster, all at once, and wait until they are gone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import manifests
from .apply import Refused
from .client import CONNECTIONS, ApiError, Cluster
from .manifests import Manifest


@dataclass(frozen=True)
class Found:
    """An object in the cluster, and its path at the API server."""

    live: Manifest
    path: str

    @property
    def uid(self) -> str:
        """Identity of the object: another one may get its name."""
        return str(self.live["metadata"]["uid"])

    def __str__(self) -> str:
        """Return kind, namespace and name."""
        return manifests.name_of(self.live)


def find(cluster: Cluster, wanted: Iterable[Manifest], namespace: str = "default") -> list[Found]:
    """Return those of the objects that exist. An object whose kind the cluster does not know does not exist.

    Args:
        cluster: the cluster to read.
        wanted: objects with apiVersion, kind and metadata; everything else is ignored.
        namespace: the namespace of namespaced objects that name none.

    Raises:
        ApiError, Unreachable: if the API server cannot be read.
    """
    resources = cluster.discover()
    paths: list[tuple[Manifest, str]] = []
    for each in wanted:
        if resource := resources.get((each["apiVersion"], each["kind"])):
            metadata = {"name": each["metadata"]["name"]}
            if resource.namespaced:
                metadata["namespace"] = each["metadata"].get("namespace") or namespace
            known = {"apiVersion": each["apiVersion"], "kind": each["kind"], "metadata": metadata}
            paths.append((known, resource.path(metadata.get("namespace", ""), metadata["name"])))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        live = list(pool.map(lambda pair: cluster.get(pair[1]), paths))
    pairs = zip(paths, live, strict=True)
    return [Found({**known, **answer}, path) for (known, path), answer in pairs if answer is not None]


def delete(cluster: Cluster, found: list[Found], seconds: float) -> list[str]:
    """Delete objects and wait until they are gone.

    Args:
        cluster: the cluster to write.
        found: the objects; one that was replaced since it was read is not deleted.
        seconds: how long to wait for all of them.

    Returns:
        A sentence for each object that still exists after that time.

    Raises:
        Refused: if the API server refused to delete some of them.
        ApiError, Unreachable: if it cannot be read.
    """
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        if refused := [text for text in pool.map(lambda each: _delete(cluster, each), found) if text]:
            raise Refused(refused)
    return [text for each in found if (text := _wait(cluster, each, deadline))]


def _delete(cluster: Cluster, each: Found) -> str:
    options = {"preconditions": {"uid": each.uid}, "propagationPolicy": "Background"}
    try:
        cluster.request("DELETE", each.path, body=options)
    except ApiError as error:
        if error.status not in (404, 409):
            return f"{each}: {error}"
    return ""


def _wait(cluster: Cluster, each: Found, deadline: float) -> str:
    collection, _slash, name = each.path.rpartition("/")
    gone, left = cluster.wait(
        collection,
        lambda items: each.uid not in [item["metadata"]["uid"] for item in items],
        deadline - time.monotonic(),
        fieldSelector=f"metadata.name={name}",
    )
    if gone:
        return ""
    conditions = (left[0].get("status") or {}).get("conditions") or []
    reasons = [each["message"] for each in conditions if each.get("status") == "True" and each.get("message")]
    finalizers = left[0]["metadata"].get("finalizers") or []
    if finalizers:
        reasons.append(f"finalizers {', '.join(finalizers)}")
    return f"{each} still exists: {'; '.join(reasons) or 'no reason given'}"
