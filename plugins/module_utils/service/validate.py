# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Checks of service_release, of each service and of all services of a cluster together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..findings import Finding, did_you_mean
from .rules import meaning
from .schema import RELEASE, Faults, Release, fault, shape

Entry = dict[str, Any]  # of platform_releases: the role, its release, and what its template rendered


def findings(entry: Entry) -> list[Finding]:
    """Findings of one description alone."""
    release, role = entry["release"], entry["role"]
    faults = [*shape(RELEASE, release)]
    wrong = {each.variable.split(".")[0] for each in faults}
    faults += meaning(release, wrong)
    subject = str(release.get("name") or role)
    found = [of_key(each, subject, role) for each in faults]
    return found + [replace(each, subject=subject, where=f"role {role}") for each in _overrides(release, role)]


def of_key(found: Finding, subject: str, role: str) -> Finding:
    """The finding of a key of service_release; of all of it when there is no key."""
    return replace(
        found, subject=subject, variable=f"service_release.{found.variable}".rstrip("."), where=f"role {role}"
    )


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
