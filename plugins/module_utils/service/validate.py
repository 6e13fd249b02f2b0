# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is wrong with descriptions of services, each alone and all together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..findings import Finding, did_you_mean
from .rules import meaning
from .schema import RELEASE, Release, shape

Entry = dict[str, Any]  # of platform_releases: the role, its release, and what its template rendered


def findings(entry: Entry) -> list[Finding]:
    """Findings of one description alone."""
    release, role = entry["release"], entry["role"]
    faults = [*shape(RELEASE, release)]
    wrong = {key.split(".")[0] for key, _, _ in faults}
    faults += meaning(release, wrong)
    subject = str(release.get("name") or role)
    found = [of_key(subject, key, problem, step, role) for key, problem, step in faults]
    for problem, step in _overrides(release):
        found.append(Finding("error", subject, f"{role}_values", problem, step, f"role {role}"))
    return found


def of_key(subject: str, key: str, problem: str, step: str, role: str) -> Finding:
    """A fault of one key of a description; of all of it when there is no key."""
    return Finding("error", subject, f"service_release.{key}".rstrip("."), problem, step, f"role {role}")


def _overrides(release: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A template reads the values that it knows; a chart checks its own."""
    values, over = release.get("values", {}), release.get("overrides", {})
    if "manifests" in release and isinstance(values, dict) and isinstance(over, dict):
        for name in (name for name in over if name not in values):
            yield f"'{name}' is no value of this service", did_you_mean(str(name), values)


def together(entries: list[tuple[Release, str]], switched_on: set[str], context: dict[str, Any]) -> Iterator[Finding]:
    """Findings of sound descriptions, each with its role, that only show beside each other and in this cluster."""
    owners: dict[tuple[str, str], str] = {}
    for release, role in entries:
        for key, value in _claims(release):
            owner = owners.setdefault((key, value), f"{release['name']} (role {role})")
            if owner != f"{release['name']} (role {role})":
                problem = f"'{value}' is already that of {owner}"
                yield of_key(release["name"], key, problem, "Give each service its own.", role)
        for need in (need for need in release["requires"] if need not in switched_on):
            step = f"Add it to the services of cluster {context['cluster']}. {did_you_mean(need, switched_on)}"
            yield of_key(release["name"], "requires", f"'{need}' is not switched on", step, role)
        if context["gateway"] and (release["route"] or {}).get("sso") == "proxy":
            problem = "there is no proxy yet that would ask people who they are"
            step = "Use native where the service asks itself, or leave the route out."
            yield of_key(release["name"], "route.sso", problem, step, role)
    roles = {release["name"]: role for release, role in entries}
    for circle in _circles({release["name"]: release["requires"] for release, _ in entries}):
        problem = f"goes round in a circle: {' -> '.join([*circle, circle[0]])}"
        yield of_key(circle[0], "requires", problem, "Take one of these requirements away.", roles[circle[0]])


def _claims(release: Release) -> Iterator[tuple[str, str]]:
    """What no two services of a cluster may both have; buckets they may share, each with a key of its own."""
    yield "name", release["name"]
    yield "namespace", release["namespace"]
    if release["route"]:
        yield "route.host", release["route"]["host"]


def _circles(needs: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Circles of requirements, each beginning with its least name."""
    found, done = set(), set()

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
