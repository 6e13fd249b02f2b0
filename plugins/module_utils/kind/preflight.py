# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What stands against kind clusters on a container engine. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..container_engine.output import ENGINES
from . import refusals
from .config import Found

GIB = 1024**3


@dataclass(frozen=True)
class Wanted:
    """What the inventory asks of the engine; ``ports`` by the variable that sets them, 0 for none."""

    engine: str
    directory: str
    memory_gib: float
    images: dict[str, str]
    ports: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Seen:
    """What the engine is like.

    Args:
        installed: the engines whose programs are in PATH.
        refusal: why the engine does not answer; the rest is unknown then.
        memory: bytes that it has for containers.
        foreign: clusters of somebody else by the name of ours.
        made: clusters that are there already, so images and ports are theirs.
        busy: by port of this host what has it, "" for a program that is no container.
        refused: by image that is not there why its registry does not give it.
    """

    installed: list[str] = field(default_factory=lambda: ["docker"])
    refusal: str = ""
    memory: int = 1 << 60
    foreign: dict[str, Found] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    busy: dict[int, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def findings(wanted: Wanted, seen: Seen) -> list[str]:
    """Every reason why the clusters cannot be made, each with its place and next step, in a stable order."""
    if unusable := _engine(wanted, seen):
        return [unusable]
    found = _memory(wanted, seen)
    found += [refusals.foreign(wanted.engine, name, each) for name, each in sorted(seen.foreign.items())]
    for name in sorted(wanted.images):
        if name not in seen.made and name not in seen.foreign:
            found += [*_ports(wanted, seen, name), *_image(wanted, seen, name)]
    return found


def _engine(wanted: Wanted, seen: Seen) -> str:
    engine, place = wanted.engine, f"{wanted.directory}/group_vars/all.yml"
    if engine not in seen.installed:
        others = [each for each in ENGINES if each in seen.installed]
        step = "Install Docker Desktop, Docker Engine or Podman."
        if others:
            step = f"Install it, or set cluster_kind_engine: {others[0]} in {place}: {others[0]} is there."
        return f"cluster_kind_engine: {engine} is not installed. {step}"
    if seen.refusal:
        start = {"docker": "Docker Desktop, or: systemctl start docker", "podman": "podman machine start"}[engine]
        return (
            f"cluster_kind_engine: {engine} does not answer: {seen.refusal} Start it ({start}) and try: {engine} info"
        )
    return ""


def _memory(wanted: Wanted, seen: Seen) -> list[str]:
    if seen.memory >= wanted.memory_gib * GIB:
        return []
    return [
        f"cluster_kind_memory_gib: the clusters need {wanted.memory_gib:g} GiB of memory, {wanted.engine} has "
        f"{seen.memory / GIB:.1f} GiB. "
        "Give it more (Docker Desktop: Settings, Resources; podman machine set --memory), "
        f"or set a lower number in {wanted.directory}/group_vars/all.yml if your clusters need less."
    ]


def _ports(wanted: Wanted, seen: Seen, name: str) -> Iterator[str]:
    for variable, port in wanted.ports[name].items():
        if port in seen.busy:
            who = f"container {seen.busy[port]}" if seen.busy[port] else "another program"
            yield (
                f"{variable} of {name}: {who} has port {port} of this host. "
                f"Stop it, or set another port, or 0 for none, in {wanted.directory}/hosts.yml."
            )


def _image(wanted: Wanted, seen: Seen, name: str) -> Iterator[str]:
    if reason := seen.refused.get(wanted.images[name]):
        yield (
            f"cluster_kind_image of {name}: {wanted.images[name]} is not there and cannot be pulled: {reason} "
            f"Name the image of a mirror in cluster_kind_image, or bring it from elsewhere: "
            f"{wanted.engine} save there, {wanted.engine} load here."
        )
