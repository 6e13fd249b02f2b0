# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether what is given are records of cilium_clustermesh_info: the rules read them without looking."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from ..chart import parts

NEEDED: dict[str, type] = {
    "name": str,
    "id": int,
    "context": str,
    "max_connected_clusters": int,
    "version": str,
    "datapath.routing_mode": str,
    "datapath.tunnel_protocol": str,
    "datapath.tunnel_port": int,
    "datapath.mtu": int,
    "datapath.native_cidr": str,
    "pod_cidrs": list,
    "service_cidrs": list,
    "node_ips": list,
    "encryption.type": str,
    "encryption.node": bool,
    "kube_proxy_replacement": bool,
    "ipam": str,
    "policy_default_local_cluster": bool,
    "kvstoremesh": bool,
    "auth_mode": str,
    "endpoint.type": str,
    "endpoint.ips": list,
    "endpoint.address": str,
    "endpoint.port": int,
    "tls.method": str,
    "tls.ca_fingerprints": list,
    "tls.leafs": dict,
}
WORDS = {str: "a text", int: "a number", bool: "true or false", list: "a list of texts", dict: "a mapping"}
NEEDED_LEAF: dict[str, type] = {"cn": str, "sans": list, "issuer": str, "not_after": str}


def faults(records: list[Any]) -> list[str]:
    """Return what keeps each record from being judged, for example "clusters[1] ('south'): id is missing"."""
    found = []
    for index, record in enumerate(records):
        where = f"clusters[{index}]"
        if record.get("name"):
            where += f" ('{record['name']}')"
        found += [f"{where}: {fault}" for fault in (*_types(record, NEEDED), *_leafs(record))]
        found += [f"{where}: {fault}" for fault in _values(record)]
    return found


def _get(record: Any, path: str) -> Any:
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _types(record: Any, needed: dict[str, type], prefix: str = "") -> Iterator[str]:
    for path, kind in needed.items():
        value = _get(record, path)
        if value is None:
            yield f"{prefix}{path} is missing"
        elif not _is(value, kind):
            yield f"{prefix}{path} is {value!r}, not {WORDS[kind]}"


def _is(value: Any, kind: type) -> bool:
    """Python takes True for a number too."""
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _leafs(record: Any) -> Iterator[str]:
    leafs = _get(record, "tls.leafs")
    for name, leaf in leafs.items() if isinstance(leafs, dict) else ():
        yield from _types(leaf, NEEDED_LEAF, f"tls.leafs.{name}.")


def _values(record: Any) -> Iterator[str]:
    """Texts that must be readable as something else."""
    every: list[tuple[str, Any, Callable[[str], Any]]] = [("version", _get(record, "version"), parts)]
    every += [("datapath.native_cidr", _get(record, "datapath.native_cidr") or None, _network)]
    for path in ("pod_cidrs", "service_cidrs"):
        value = _get(record, path)
        every += [(path, each, _network) for each in (value if isinstance(value, list) else ())]
    leafs = _get(record, "tls.leafs")
    for name, leaf in leafs.items() if isinstance(leafs, dict) else ():
        every += [(f"tls.leafs.{name}.not_after", _get(leaf, "not_after"), _time)]
    for path, text, read in every:
        try:
            read(text) if text is not None else None
        except (TypeError, ValueError):
            yield f"{path} holds {text!r}, which cannot be read"


def _network(text: str) -> None:
    ipaddress.ip_network(text, strict=False)


def _time(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)
