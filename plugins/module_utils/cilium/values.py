# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Decide what Cilium can do on given nodes with given images. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_IMAGES = {
    "agent": "quay.io/cilium/cilium",
    "operator": "quay.io/cilium/operator-generic",
    "envoy": "quay.io/cilium/cilium-envoy",
    "clustermesh": "quay.io/cilium/clustermesh-apiserver",
}
_ENVOY = _IMAGES["envoy"]

Values = dict[str, Any]

# What Cilium needs of a kernel beyond its minimum: key in node_facts.kernel, words, where the values ask for it and
# with which value (True: any), and the values with which it is off.
_FEATURES: tuple[tuple[str, str, tuple[str, ...], tuple[Any, ...], Values], ...] = (
    ("wireguard", "WireGuard", ("encryption", "type"), ("wireguard",), {"encryption": {"enabled": False}}),
    ("geneve", "Geneve", ("tunnelProtocol",), ("geneve",), {"tunnelProtocol": "vxlan"}),
    ("netkit", "netkit", ("bpf", "datapathMode"), ("netkit", "netkit-l2"), {"bpf": {"datapathMode": "veth"}}),
    (
        "fq",
        "bandwidth manager",
        ("bandwidthManager", "enabled"),
        (True,),
        {"bandwidthManager": {"enabled": False, "bbr": False}},
    ),
)


def images(known: Mapping[str, Values]) -> dict[str, Values]:
    """Return by short image name the locked origin and digest of Cilium's images ("" where none is locked)."""
    names = {name.rpartition(":")[0]: entry for name, entry in known.items()}
    blank = {"origin": "download", "digest": ""}
    return {short: dict(names.get(name, blank)) for short, name in _IMAGES.items()}


def has_envoy(known: Mapping[str, Values]) -> bool:
    """Whether Envoy's image can be had: it is locked, or the agent's comes from a registry that has it as well."""
    return _ENVOY in {name.rpartition(":")[0] for name in known} or images(known)["agent"]["origin"] == "download"


def settings(known: Mapping[str, Values], nodes: Mapping[str, Values]) -> Values:
    """Return what the values template asks.

    :param known: the fact artifacts.images.
    :param nodes: by node name its node_facts.
    """
    return {
        "images": images(known),
        "envoy": has_envoy(known),
        # A container cannot steer systemd-sysctl of its host; role node sets what it may.
        "sysctlfix": not any(facts["container"] for facts in nodes.values()),
        "sys_resource": all(facts["sys_resource"] for facts in nodes.values()),
    }


def fit(values: Values, nodes: Mapping[str, Values]) -> Values:
    """Return the values without what a node's kernel cannot do."""
    fitted = dict(values)
    for _words, off, _without, asked in _impossible(values, nodes):
        if asked:
            for key, value in off.items():
                fitted[key] = {**fitted[key], **value} if isinstance(value, dict) else value
    return fitted


def notes(name: str, values: Values, known: Mapping[str, Values], nodes: Mapping[str, Values]) -> list[str]:
    """Return what a person must know: what is off in this cluster, and why."""
    found = []
    if not has_envoy(known):
        lost = "Envoy, L7 policies, the Gateway API's traffic and Hubble"
        found.append(f"{name}: {lost} are off: image {_ENVOY} is not available where images are built")
    for words, _off, without, asked in _impossible(values, nodes):
        request = " although it is asked for" if asked else ""
        harm = "; traffic between nodes is NOT encrypted" if asked and words == "WireGuard" else ""
        found.append(f"{name}: {words} is off{request}: the kernel of {', '.join(without)} cannot do it{harm}")
    return found


def _impossible(values: Values, nodes: Mapping[str, Values]) -> list[tuple[str, Values, list[str], bool]]:
    """Return words, values to switch it off, the nodes without it, and whether it is asked for."""
    found = []
    for key, words, path, wanted, off in _FEATURES:
        without = sorted(name for name, facts in nodes.items() if not facts["kernel"][key])
        if without:
            value: Any = values
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            enabled = words != "WireGuard" or bool((values.get("encryption") or {}).get("enabled"))
            found.append((words, off, without, value in wanted and enabled))
    return found
