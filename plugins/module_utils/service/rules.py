# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for the values of service_release. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..findings import Finding
from .schema import (
    CHARACTERS,
    CHART,
    CLIENTS,
    GENERATED,
    MONITORING,
    POD_SECURITY,
    ROUTE,
    SSO,
    Faults,
    choice,
    fault,
    holds,
    shape,
)

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Helm allows no longer names.
LONGEST_NAME = 53
EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# Namespaces of the cluster itself: our policies or pod security level would break it.
RESERVED = re.compile(r"kube-.*|default|flux-system")
# Kustomizations beside those of the services.
TAKEN = ("platform", "platform-services", "cilium", "secrets")


def meaning(release: dict[str, Any], wrong: set[str]) -> Faults:
    """Invalid values of the keys that have the right type."""
    rules: dict[str, Callable[[Any], Iterable[Finding]]] = {
        "name": _name,
        "namespace": _namespace,
        "chart": _chart,
        "route": _route,
        "bucket": _buckets,
        "secrets": _secrets,
        "requires": _requires,
        "pod_security": lambda value: choice("pod_security", value, POD_SECURITY),
        "clients": _clients,
        "monitoring": lambda value: shape(MONITORING, value, "monitoring.") if value else (),
        "timeout": _timeout,
    }
    for key, rule in rules.items():
        value = release.get(key)
        if key not in wrong and value is not None and value is not False:
            yield from rule(value)
    chart, own = (release.get(key) is not None for key in ("chart", "manifests"))
    if chart == own:
        problem = "has both chart and manifests" if chart else "has neither chart nor manifests"
        yield fault("", problem, "Set exactly one: chart for an upstream chart, manifests for a template of the role.")


def is_label(value: str) -> bool:
    """Whether the value can be the name of a service or namespace."""
    return len(value) <= LONGEST_NAME and bool(LABEL.fullmatch(value))


def _label(key: str, value: str) -> Faults:
    if not is_label(value):
        yield fault(key, f"'{value}' is not a valid name", f"Use at most {LONGEST_NAME} characters a-z, 0-9 and '-'.")


def _name(value: str) -> Faults:
    yield from _label("name", value)
    if value in TAKEN:
        yield fault("name", f"'{value}' is reserved for the platform", "Choose another name.")


def _namespace(value: str) -> Faults:
    if RESERVED.fullmatch(value):
        step = "Remove it: the service's name is the default."
        yield fault("namespace", f"'{value}' is a namespace of the cluster itself", step)
    elif value:
        yield from _label("namespace", value)


def _chart(value: dict[str, Any]) -> Faults:
    yield from shape(CHART, value, "chart.")
    repo, version = value.get("repo"), value.get("version")
    if isinstance(repo, str) and not re.match(r"(oci|https)://[^/\s]", repo):
        yield fault("chart.repo", f"'{repo}' is not a chart repository", "Set an address oci://… or https://…")
    if isinstance(version, str) and not EXACT.fullmatch(version):
        step = "Pin one, such as 1.2.3: a range resolves to another version over time."
        yield fault("chart.version", f"'{version}' is not an exact version", step)


def _route(value: dict[str, Any]) -> Faults:
    yield from shape(ROUTE, value, "route.")
    port, sso = value.get("port"), value.get("sso")
    if isinstance(port, int) and holds(port, int) and not 1 <= port <= 65535:
        yield fault("route.port", f"{port} is not a port", "Set a port of the Service, from 1 to 65535.")
    if isinstance(sso, str):
        yield from choice("route.sso", sso, SSO)
    if sso == "none" and not value.get("reason"):
        yield fault("route.reason", "is missing", "State why no sign-on is needed.")
    if (host := value.get("host")) and isinstance(host, str) and not LABEL.fullmatch(host):
        step = "Set one label below the fleet's domain: a-z, 0-9 and '-'."
        yield fault("route.host", f"'{host}' is not a DNS label", step)


def _buckets(value: bool | list[Any]) -> Faults:
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, str) or not BUCKET.fullmatch(each):
            yield fault("bucket", f"{each!r} is not a valid bucket name", "Use 3 to 63 characters a-z, 0-9 and '-'.")


def _secrets(value: dict[str, Any]) -> Faults:
    for name, keys in value.items():
        if not LABEL.fullmatch(str(name)) or name in ("database", "bucket"):
            step = "Use a-z, 0-9 and '-'; database and bucket are reserved."
            yield fault(f"secrets.{name}", "is not a valid name of a Secret", step)
        if not isinstance(keys, dict) or not keys:
            yield fault(f"secrets.{name}", f"{keys!r} is not a mapping", "Set the Secret's keys, each with its value.")
            continue
        for key, content in keys.items():
            yield from _secret(f"secrets.{name}.{key}", content)


def _secret(where: str, content: Any) -> Faults:
    if isinstance(content, str):
        return
    if not isinstance(content, dict):
        step = "Set a string, or {length: 32} for a generated value."
        yield fault(where, f"a value of type {type(content).__name__} is neither a string nor a rule", step)
        return
    yield from shape(GENERATED, content, f"{where}.")
    length, characters = content.get("length"), content.get("characters")
    if isinstance(length, int) and holds(length, int) and not 16 <= length <= 1024:
        yield fault(f"{where}.length", f"{length} is out of range", "Set a number from 16 to 1024.")
    if isinstance(characters, str):
        yield from choice(f"{where}.characters", characters, CHARACTERS)


def _requires(value: list[Any]) -> Faults:
    for each in (each for each in value if not isinstance(each, str)):
        yield fault("requires", f"{each!r} is not a string", "List names of services of this cluster.")


def _clients(value: str | list[Any]) -> Faults:
    if isinstance(value, str):
        yield from choice("clients", value, CLIENTS)
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, str) or each in CLIENTS or not LABEL.fullmatch(each):
            step = "List namespaces, or set 'all' or 'fleet' in place of the list."
            yield fault("clients", f"{each!r} is not a namespace", step)


def _timeout(value: int) -> Faults:
    if not 1 <= value <= 3600:
        yield fault("timeout", f"{value} is out of range", "Set 1 to 3600 seconds.")
