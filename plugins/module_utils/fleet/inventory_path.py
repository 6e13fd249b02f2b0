# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which inventory a command line means. Pure but for looking at paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from ..findings import did_you_mean


class UnknownInventory(Exception):
    """There is no inventory where the command line says; the text says what to do."""


def directory(sources: Sequence[str]) -> str:
    """The absolute directory of the first inventory source: the fleet's name and state belong to it."""
    if not sources:
        raise UnknownInventory("No inventory was given. Add: -i inventories/local")
    first = os.path.abspath(str(sources[0]))
    if not os.path.exists(first):
        raise UnknownInventory(f"There is no inventory {sources[0]}. {did_you_mean(str(sources[0]), near(first))}")
    return first if os.path.isdir(first) else os.path.dirname(first)


def near(path: str) -> list[str]:
    """Inventories beside `path`, as the user would type them."""
    parent = os.path.dirname(path)
    found = os.listdir(parent) if os.path.isdir(parent) else []
    return [os.path.relpath(os.path.join(parent, name)) for name in found if not name.startswith(".")]


def unknown_in_limit(limit: str | None, known: Iterable[str]) -> list[str]:
    """Plain names in --limit that are no host and no group; patterns and files are left to Ansible."""
    words = [word.lstrip("!&") for word in re.split(r"[,:]", limit or "")]
    plain = [word for word in words if re.fullmatch(r"[A-Za-z0-9._-]+", word)]
    return sorted(set(plain) - set(known) - {"all", "localhost"})
