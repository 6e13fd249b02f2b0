# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Why kind clusters cannot be created, changed or repaired, as findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..container_engine.cli import ENGINES
from ..findings import Finding
from .config import Found, missing

GIB = 1024**3
_ACCEPT = "To accept that, run again with -e cluster_kind_recreate=true"


@dataclass(frozen=True)
class Wanted:
    """What the inventory requires of the engine; ``ports`` by the variable that sets them, 0 for none."""

    engine: str
    directory: str
    memory_gib: float
    images: dict[str, str]
    ports: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Seen:
    """What the engine reports.

    installed: the engines whose programs are in PATH.
    refusal: why the engine does not answer; the other fields are unknown then.
    memory: bytes that it has for containers.
    foreign: kind clusters of others, by the name that the inventory uses too.
    made: clusters that exist already, so that images and ports are theirs.
    busy: by port of this host the container that uses it, "" for another program.
    refused: by missing image why its registry does not serve it.
    """

    installed: list[str] = field(default_factory=lambda: ["docker"])
    refusal: str = ""
    memory: int = 1 << 60
    foreign: dict[str, Found] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    busy: dict[int, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def findings(wanted: Wanted, seen: Seen) -> list[Finding]:
    """Every reason why the clusters cannot be created, in a stable order."""
    if unusable := list(_engine(wanted, seen)):
        return unusable
    found = list(_memory(wanted, seen))
    found += [foreign(wanted.engine, name, each) for name, each in sorted(seen.foreign.items())]
    for name in sorted(wanted.images):
        if name not in seen.made and name not in seen.foreign:
            found += [*_ports(wanted, seen, name), *_image(wanted, seen, name)]
    return found


def foreign(engine: str, name: str, found: Found) -> Finding:
    """A kind cluster of the same name does not belong to the fleet."""
    nodes = ", ".join(each.name for each in found.nodes)
    problem = f"{engine} already has a kind cluster of this name that does not belong to this fleet ({nodes})"
    step = "Rename the cluster in the inventory, or delete the other one if nobody needs it: kind delete cluster --name"
    return _error(name, "", problem, f"{step} {name}")


def damaged(name: str, found: Found, lost: str) -> Finding:
    """Containers of the cluster are gone."""
    problem = f"{' and '.join(missing(found))} missing, and kind cannot add nodes; recreating the cluster would delete"
    return _error(name, "", f"{problem} {lost}", f"{_ACCEPT}.")


def changed(name: str, keys: list[str], lost: str) -> Finding:
    """The config differs from the one that the cluster was created with."""
    what = f"its config was changed ({', '.join(keys)}), and kind cannot change a cluster"
    step = f"{_ACCEPT}; to keep the cluster, revert the config."
    return _error(name, "", f"{what}; recreating it would delete {lost}", step)


def _error(name: str, variable: str, problem: str, step: str) -> Finding:
    return Finding("error", name, variable, problem, step)


def _engine(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    engine, place = wanted.engine, f"{wanted.directory}/group_vars/all.yml"
    if engine not in seen.installed:
        step = "Install Docker Desktop, Docker Engine or Podman."
        if others := [each for each in ENGINES if each in seen.installed]:
            step = f"Install it, or set cluster_kind_engine: {others[0]} in {place}: {others[0]} is installed."
        yield _error("", "cluster_kind_engine", f"{engine} is not installed", step)
    elif seen.refusal:
        start = {"docker": "Docker Desktop, or: systemctl start docker", "podman": "podman machine start"}[engine]
        problem = f"{engine} does not answer: {seen.refusal.removesuffix('.')}"
        yield _error("", "cluster_kind_engine", problem, f"Start it ({start}) and try: {engine} info")


def _memory(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    if seen.memory < wanted.memory_gib * GIB:
        has = f"{wanted.engine} has {seen.memory / GIB:.1f} GiB"
        problem = f"the clusters need {wanted.memory_gib:g} GiB of memory, {has}"
        step = "Give it more (Docker Desktop: Settings, Resources; podman machine set --memory), or set a lower number"
        step += f" in {wanted.directory}/group_vars/all.yml if your clusters need less."
        yield _error("", "cluster_kind_memory_gib", problem, step)


def _ports(wanted: Wanted, seen: Seen, name: str) -> Iterator[Finding]:
    for variable, port in wanted.ports[name].items():
        if port in seen.busy:
            user = f"container {seen.busy[port]}" if seen.busy[port] else "another program"
            step = f"Stop it, or set another port, or 0 for none, in {wanted.directory}/hosts.yml."
            yield _error(name, variable, f"{user} uses port {port} of this host", step)


def _image(wanted: Wanted, seen: Seen, name: str) -> Iterator[Finding]:
    image = wanted.images[name]
    if reason := seen.refused.get(image):
        problem = f"{image} is not available locally and cannot be pulled: {reason.removesuffix('.')}"
        step = "Set cluster_kind_image to the image of a mirror, or copy it from another machine: "
        step += f"{wanted.engine} save there, {wanted.engine} load here."
        yield _error(name, "cluster_kind_image", problem, step)
