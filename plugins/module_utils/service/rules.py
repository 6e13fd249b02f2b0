# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rules for service_release, of each service and of all services of a cluster together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..findings import Finding, did_you_mean
from .schema import (
    CHARACTERS,
    CHART,
    CLIENTS,
    GENERATED,
    MONITORING,
    POD_SECURITY,
    RELEASE,
    ROUTE,
    SSO,
    Faults,
    Release,
    choice,
    fault,
    holds,
    shape,
)

Entry = dict[str, Any]  # of platform_releases: the role, its release, and what its template rendered
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Helm allows no longer names.
LONGEST_NAME = 53
EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# Namespaces of the cluster itself: our policies or pod security level would break it.
RESERVED = re.compile(r"kube-.*|default|flux-system")
# Kustomizations beside those of the services.
TAKEN = ("platform", "platform-services", "cilium", "secrets")


def _meaning(release: dict[str, Any], wrong: set[str]) -> Faults:
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


def findings(entry: Entry) -> list[Finding]:
    """Findings of one description alone."""
    release, role = entry["release"], entry["role"]
    faults = [*shape(RELEASE, release)]
    wrong = {each.variable.split(".")[0] for each in faults}
    faults += _meaning(release, wrong)
    subject = str(release.get("name") or role)
    found = [of_key(each, subject, role) for each in faults]
    return found + [replace(each, subject=subject, where=f"role {role}") for each in _overrides(release, role)]


def of_key(found: Finding, subject: str, role: str) -> Finding:
    """The finding of a key of service_release; of all of it when there is no key."""
    variable = f"service_release.{found.variable}".rstrip(".")
    return replace(found, subject=subject, variable=variable, where=f"role {role}")


def _overrides(release: dict[str, Any], role: str) -> Faults:
    """Overrides that the template of the role does not read; a chart checks its own."""
    values, over = release.get("values", {}), release.get("overrides", {})
    if "manifests" in release and isinstance(values, dict) and isinstance(over, dict):
        for name in (name for name in over if name not in values):
            problem = f"'{name}' is not a value of this service"
            yield fault(f"{role}_values", problem, did_you_mean(str(name), values))


def together(entries: list[tuple[Release, str]], enabled: set[str], context: dict[str, Any]) -> Iterator[Finding]:
    """Conflicts between valid descriptions, each with its role, and what the cluster lacks for them."""
    owners: dict[tuple[str, str], str] = {}
    for release, role in entries:
        yield from (of_key(each, release["name"], role) for each in _undeclared(release, context["declared"]))
        for key, value in _claims(release):
            owner = owners.setdefault((key, value), f"{release['name']} (role {role})")
            if owner != f"{release['name']} (role {role})":
                problem = f"'{value}' is already used by {owner}"
                yield of_key(fault(key, problem, "Give each service its own."), release["name"], role)
        for need in (need for need in release["requires"] if need not in enabled):
            step = f"Add it to cluster_services of {context['cluster']}. {did_you_mean(need, enabled)}"
            yield of_key(fault("requires", f"'{need}' is not enabled", step), release["name"], role)
        if context["gateway"] and (release["route"] or {}).get("sso") == "proxy":
            step = "Use native where the service authenticates users itself, or remove the route."
            yield of_key(fault("route.sso", "there is no authenticating proxy yet", step), release["name"], role)
    roles = {release["name"]: role for release, role in entries}
    for circle in _circles({release["name"]: release["requires"] for release, _ in entries}):
        problem = f"is circular: {' -> '.join([*circle, circle[0]])}"
        yield of_key(fault("requires", problem, "Remove one of these requirements."), circle[0], roles[circle[0]])


def _undeclared(release: Release, declared: list[dict[str, Any]]) -> Faults:
    """What differs from meta/service.yml: the fleet's preflight checked that."""
    features = {each["name"]: each["features"] for each in declared}
    if declared and release["name"] not in features:
        step = f"Set name in meta/service.yml of the role. {did_you_mean(release['name'], features)}"
        yield fault("name", f"no role of this cluster declares '{release['name']}'", step)
        return
    for feature, used in (("database", release["database"]), ("bucket", release["buckets"])):
        if declared and used and feature not in features[release["name"]]:
            yield fault(feature, "is not declared", f"Add {feature} to features in meta/service.yml of the role.")


def _claims(release: Release) -> Iterator[tuple[str, str]]:
    """What each service of a cluster needs for itself; they may share buckets, each with its own key."""
    yield "name", release["name"]
    yield "namespace", release["namespace"]
    if release["route"]:
        yield "route.host", release["route"]["host"]


def _circles(needs: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Circular requirements, each beginning with its first name by alphabet."""
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            least = circle.index(min(circle))
            found.add(circle[least:] + circle[:least])
        elif name not in done:
            for need in needs.get(name, ()):
                walk(need, (*path, name))
            done.add(name)

    for name in sorted(needs):
        walk(name, ())
    return sorted(found)
