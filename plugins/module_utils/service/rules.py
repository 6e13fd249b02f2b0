# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for the keys of a description of a service. Pure."""

from __future__ import annotations

import re
from typing import Any

from .schema import (
    CHARACTERS,
    CHART,
    CLIENTS,
    GENERATED,
    MONITORING,
    POD_SECURITY,
    ROUTE,
    SSO,
    Told,
    choice,
    holds,
    shape,
)

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Helm allows no longer names.
LONGEST_NAME = 53
EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# Of the cluster itself: a policy or a pod security level of ours would break it.
RESERVED = re.compile(r"kube-.*|default|flux-system")
# Kustomizations beside those of the services: the whole tree's, and the network's.
TAKEN = ("platform", "platform-services", "cilium", "secrets")


def meaning(release: dict[str, Any], wrong: set[str]) -> Told:
    """Each key whose kind is right means something."""
    rules = {
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
        problem = f"has {'both' if chart else 'none of'} chart and manifests"
        yield "", problem, "Write exactly one: chart for an upstream chart, manifests for a template of the role."


def _label(key: str, value: str) -> Told:
    if len(value) > LONGEST_NAME or not LABEL.fullmatch(value):
        yield key, f"'{value}' is no valid name", f"Use at most {LONGEST_NAME} characters a-z, 0-9 and '-'."


def _name(value: str) -> Told:
    yield from _label("name", value)
    if value in TAKEN:
        yield "name", f"'{value}' is taken by the platform itself", "Choose another name."


def _namespace(value: str) -> Told:
    if RESERVED.fullmatch(value):
        yield "namespace", f"'{value}' belongs to the cluster", "Leave it out: the service's name is the default."
    elif value:
        yield from _label("namespace", value)


def _chart(value: dict[str, Any]) -> Told:
    yield from shape(CHART, value, "chart.")
    repo, version = value.get("repo"), value.get("version")
    if isinstance(repo, str) and not re.match(r"(oci|https)://[^/\s]", repo):
        yield "chart.repo", f"'{repo}' is no place of charts", "Write oci://… or https://…"
    if isinstance(version, str) and not EXACT.fullmatch(version):
        yield "chart.version", f"'{version}' is no exact version", "Write one such as 1.2.3: a range changes by itself."


def _route(value: dict[str, Any]) -> Told:
    yield from shape(ROUTE, value, "route.")
    port, sso = value.get("port"), value.get("sso")
    if holds(port, int) and not 1 <= port <= 65535:
        yield "route.port", f"{port} is no port", "Write a number from 1 to 65535, a port of the Service."
    if isinstance(sso, str):
        yield from choice("route.sso", sso, SSO)
    if sso == "none" and not value.get("reason"):
        yield "route.reason", "is missing", "Say why nobody is asked who he is."
    if (host := value.get("host")) and isinstance(host, str) and not LABEL.fullmatch(host):
        yield "route.host", f"'{host}' is no label", "Write the name before the fleet's domain: a-z, 0-9 and '-'."


def _buckets(value: bool | list[Any]) -> Told:
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, str) or not BUCKET.fullmatch(each):
            yield "bucket", f"{each!r} is no name of a bucket", "Use 3 to 63 characters a-z, 0-9 and '-'."


def _secrets(value: dict[str, Any]) -> Told:
    for name, keys in value.items():
        if not LABEL.fullmatch(str(name)) or name in ("database", "bucket"):
            yield f"secrets.{name}", "is no name of a Secret of one's own", "Use a-z, 0-9 and '-'."
        if not isinstance(keys, dict) or not keys:
            yield f"secrets.{name}", f"{keys!r} is not a mapping", "Write the Secret's keys, each with its value."
            continue
        for key, content in keys.items():
            yield from _secret(f"secrets.{name}.{key}", content)


def _secret(where: str, content: Any) -> Told:
    if isinstance(content, str):
        return
    if not isinstance(content, dict):
        step = "Write a text, or {length: 32} for one that is made."
        yield where, f"a {type(content).__name__} is neither a text nor a rule", step
        return
    yield from shape(GENERATED, content, f"{where}.")
    length, characters = content.get("length"), content.get("characters")
    if holds(length, int) and not 16 <= length <= 1024:
        yield f"{where}.length", f"{length} is out of range", "Write a number from 16 to 1024."
    if isinstance(characters, str):
        yield from choice(f"{where}.characters", characters, CHARACTERS)


def _requires(value: list[Any]) -> Told:
    for each in (each for each in value if not isinstance(each, str)):
        yield "requires", f"{each!r} is not a text", "Write names of services of this cluster."


def _clients(value: str | list[Any]) -> Told:
    if isinstance(value, str):
        yield from choice("clients", value, CLIENTS)
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, str) or each in CLIENTS or not LABEL.fullmatch(each):
            step = "Write namespaces; for more than that the one word 'all' or 'fleet' in place of the list."
            yield "clients", f"{each!r} is no namespace", step


def _timeout(value: int) -> Told:
    if not 1 <= value <= 3600:
        yield "timeout", f"{value} is out of range", "Write seconds, from 1 to 3600."
