# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read many objects of a cluster in few requests. Private: it may change without notice."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from .client import ApiError, Cluster
from .kubeconfig import CONNECTIONS
from .manifests import Manifest, Resource

_FEW = 4  # up to here one GET an object is cheaper than a list
_LIST_LIMIT = 500  # beyond it the rest of what we own is read by name

Key = tuple[str, ...]
Resources = dict[tuple[str, str], Resource]


def key(each: Manifest) -> Key:
    """Return what tells an object from all others."""
    metadata = each["metadata"]
    return each["apiVersion"], each["kind"], metadata.get("namespace", ""), metadata["name"]


def read(cluster: Cluster, resources: Resources, wanted: Iterable[Manifest]) -> dict[Key, Manifest]:
    """Return the live objects: each kind listed once, or by name where we own few or the cluster has very many."""
    live: dict[Key, Manifest] = {}
    groups: dict[tuple[str, str], list[Manifest]] = {}
    for each in wanted:
        groups.setdefault((each["apiVersion"], each["kind"]), []).append(each)
    few = [each for group in groups.values() if len(group) <= _FEW for each in group]
    many, rest = [group for group in groups.values() if len(group) > _FEW], []

    def listed(group: list[Manifest]) -> tuple[dict[Key, Manifest], bool]:
        return _list(cluster, resources[group[0]["apiVersion"], group[0]["kind"]], group)

    def got(each: Manifest) -> Manifest | None:
        path = resources[each["apiVersion"], each["kind"]].path
        return cluster.get(path(each["metadata"].get("namespace", ""), each["metadata"]["name"]))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        first = pool.map(got, few)  # beside the lists
        for group, (found, complete) in zip(many, pool.map(listed, many), strict=True):
            live.update(found)
            rest += [] if complete else [each for each in group if key(each) not in found]
        by_name = zip([*few, *rest], [*first, *pool.map(got, rest)], strict=True)
    live.update({key(each): found for each, found in by_name if found})
    return live


def _list(cluster: Cluster, resource: Resource, group: list[Manifest]) -> tuple[dict[Key, Manifest], bool]:
    """Return the objects of a kind by key, and whether these are all."""
    spaces = {each["metadata"].get("namespace", "") for each in group}
    path = resource.path(spaces.pop() if len(spaces) == 1 else "")
    try:
        answer = cluster.request("GET", path, {"limit": _LIST_LIMIT})
    except ApiError as error:
        if error.status != 404:
            raise
        return {}, True
    kind = {"apiVersion": group[0]["apiVersion"], "kind": group[0]["kind"]}
    found = [{**kind, **item} for item in answer["items"]]
    return {key(each): each for each in found}, not answer["metadata"].get("continue")
