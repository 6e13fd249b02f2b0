# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a cluster has, what is asked for, and the writes between both, as they are shown. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...kubernetes.manifests import Manifest
from ..names import DOMAIN, MANAGER
from . import entries
from .steps import Aim, Step, contents


class Live(NamedTuple):
    """What the cluster is and has; objects by name, those that are absent are left out."""

    name: str
    version: str
    kvstoremesh: bool
    objects: Mapping[str, Manifest]


class Wish(NamedTuple):
    """What is asked for; gone holds the names of peers to remove."""

    peers: list[entries.Peer]
    gone: frozenset[str]
    namespace: str
    manager: str = MANAGER
    domain: str = DOMAIN
    fingerprint: str = ""
    purge: bool = False
    allow_empty: bool = False
    force: bool = False
    allow_restart: bool = True


@dataclass
class Plan:
    """Steps in order; refusals stand against all of them. An action is a peer's {action, endpoint}."""

    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    restarts: bool = False

    def show(self, kind: str, name: str, before: str, after: str) -> None:
        """Add an object to Ansible's diff."""
        header = f"{kind} {name}"
        self.diff.append({"before_header": header, "after_header": header, "before": before, "after": after})

    def show_aim(self, aim: Aim) -> None:
        """Add what changes of an object's keys: entries by their meaning, users as they are."""
        before = {key: value for key, value in contents(aim.live).items() if key in aim.put or key in aim.remove}
        after = {key: value for key, value in (before | aim.put).items() if key not in aim.remove}
        if before != after:
            self.show(aim.kind, aim.name, _text(aim.kind, before), _text(aim.kind, after))


def _text(kind: str, data: dict[str, bytes]) -> str:
    if kind != "Secret":
        return "".join(value.decode() for value in data.values())
    return "".join(f"{key}:\n{textwrap.indent(entries.show(data[key]), '  ')}" for key in sorted(data))
