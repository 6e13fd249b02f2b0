# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read which Cilium a cluster has and whose it is, and compare it with what the platform would make of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from ..kubernetes import helm_release
from ..kubernetes.client import Cluster
from ..kubernetes.health import image_version

Values = dict[str, Any]
# Values by which pods got their addresses and identities: a change breaks running pods until they restart.
_BREAKING = ("cluster.id", "cluster.name", "ipam.", "routingMode", "tunnelProtocol", "tunnelPort")
_SECRET = re.compile(r"(key|cert|ca|password|passwd|token|secret|credentials)$", re.IGNORECASE)
_LONGEST = 80


def differences(theirs: Values, defaults: Values, ours: Values) -> list[str]:
    """Each value that differs, as ``path: theirs …, ours …``; where one side sets nothing, the chart's default counts.

    :param theirs: values that their release was installed with.
    :param defaults: values of their chart.
    :param ours: values that the platform would install with.
    """
    mine, other, chart = dict(_leaves(ours)), dict(_leaves(theirs)), dict(_leaves(defaults))
    lines = []
    for path in sorted({*mine, *other}):
        sides = [side.get(path, chart.get(path)) for side in (other, mine)]
        if _plain(sides[0]) == _plain(sides[1]):
            continue
        shown = [
            f"{name} {_shown(path, value)}{'' if path in side else ' (the default)'}"
            for name, value, side in (("theirs", sides[0], other), ("ours", sides[1], mine))
        ]
        breaking = "; running pods must be restarted" if path.startswith(_BREAKING) else ""
        lines.append(f"{path}: {', '.join(shown)}{breaking}")
    return lines


def version_problem(theirs: str, ours: str) -> str:
    """Why Cilium cannot go from their version to ours; empty if it can. Only one minor at a time is supported."""
    numbers = [[int(part) for part in re.findall(r"\d+", version)[:3]] for version in (theirs, ours)]
    if len(numbers[0]) < 2 or numbers[0] == numbers[1]:
        return ""
    if numbers[0] > numbers[1]:
        return f"is version {theirs}, newer than ours ({ours}); set artifacts_versions.cilium to it, or to a newer one"
    if numbers[0][0] == numbers[1][0] and numbers[1][1] - numbers[0][1] > 1:
        step = f"{numbers[0][0]}.{numbers[0][1] + 1}"
        return f"is version {theirs}, more than one minor before ours ({ours}); upgrade it to {step} first"
    return ""


def _leaves(values: Values, above: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no mapping (or an empty one), by its path."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _plain(value: Any) -> Any:
    """A value as helm's templates see it: true and "true" are the same, and so are nothing and empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value in ("", None, {}, []) else value if isinstance(value, list | dict) else str(value)


def _shown(path: str, value: Any) -> str:
    """A value for people; what may be a secret by its digest, and so is what is too long to read."""
    if value is None:
        return "unset"
    text = value if isinstance(value, str) else json.dumps(_masked(value))
    if (isinstance(value, str) and value and _SECRET.search(path)) or len(text) > _LONGEST or "\n" in text:
        return _digest(value)
    return text or '""'


def _masked(value: Any, key: str = "") -> Any:
    """Lists and mappings without what may be a secret in them; a variable's value may be one whatever its name."""
    if isinstance(value, dict):
        return {name: _masked(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, key) for each in value]
    return _digest(value) if isinstance(value, str) and (_SECRET.search(key) or key == "value") else value


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


NAMESPACE = "kube-system"
# Role cilium writes it before it installs or takes over a release.
_OURS = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-values"
_RELEASE = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_FLUX = ("helm.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/name")


def found(cluster: Cluster, daemon_sets: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return Cilium's DaemonSet, version and helm release, whether it is ours, and what forbids to take it over.

    :param daemon_sets: those of all namespaces.
    """
    agents = [
        each
        for each in daemon_sets
        if (each["metadata"].get("labels") or {}).get("k8s-app") == "cilium" or each["metadata"]["name"] == "cilium"
    ]
    if not agents:
        return None
    metadata = agents[0]["metadata"]
    release, namespace = ((metadata.get("annotations") or {}).get(key, "") for key in _RELEASE)
    there = {
        "daemon_set": metadata["name"],
        "namespace": metadata["namespace"],
        "version": image_version(agents[0]),
        "release": release,
        "ours": cluster.get(_OURS) is not None,
        "problem": "",
        "step": "",
    }
    if there["ours"]:
        return there
    owner = [(metadata.get("labels") or {}).get(key, "") for key in _FLUX]
    if not release:
        there["problem"] = "an existing Cilium belongs to no Helm release"
        there["step"] = "Remove it, reinstall it with Helm, or keep it and set cilium_enabled: false."
    elif namespace != NAMESPACE:
        where = f"in namespace {namespace}; the platform looks in {NAMESPACE}"
        there["problem"] = f"Cilium is helm release {release} {where}"
        there["step"] = f"Reinstall it in {NAMESPACE}, or keep it and set cilium_enabled: false."
    elif any(owner):
        there["problem"] = f"Cilium is managed by HelmRelease {'/'.join(owner)} of another Flux"
        there["step"] = "Remove it from that Flux without uninstalling the release, or set cilium_enabled: false."
    elif helm_release.newest(cluster, NAMESPACE, release)[1] is None:
        record = f"helm's record of release {release}"
        there["problem"] = f"{record} is in no Secret of {NAMESPACE}, so it cannot be compared"
        there["step"] = "Use Helm's Secret storage driver, or set cilium_enabled: false."
    return there
