# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The inventory that a command line names, and files in its state directory. Reads directories, writes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..findings import did_you_mean


class UnknownInventory(Exception):
    """The command line names no inventory, or one that does not exist; the text has the next step."""


def directory(sources: Sequence[str]) -> str:
    """The absolute path of the directory of the first inventory source, whose name is the fleet's.

    :raises UnknownInventory: there is no source, or it does not exist.
    """
    if not sources:
        raise UnknownInventory("No inventory is set. Add: -i inventories/local")
    first = os.path.abspath(str(sources[0]))
    if not os.path.exists(first):
        raise UnknownInventory(f"There is no inventory {sources[0]}. {did_you_mean(str(sources[0]), near(first))}")
    return first if os.path.isdir(first) else os.path.dirname(first)


def near(path: str) -> list[str]:
    """Paths of the inventories beside `path`, relative to the working directory."""
    parent = os.path.dirname(path)
    found = os.listdir(parent) if os.path.isdir(parent) else []
    return [os.path.relpath(os.path.join(parent, name)) for name in found if not name.startswith(".")]


def unknown_in_limit(limit: str | None, known: Iterable[str]) -> list[str]:
    """Names in --limit that are neither a host nor a group; patterns and files are not checked."""
    words = [word.lstrip("!&") for word in re.split(r"[,:]", limit or "")]
    plain = [word for word in words if re.fullmatch(r"[A-Za-z0-9._-]+", word)]
    return sorted(set(plain) - set(known) - {"all", "localhost"})


def known_hosts(state: Path) -> Path:
    """The file with the recorded host keys of existing hosts, whether it is there or not.

    The file of release 0.1.0 stays in use: otherwise its keys would be accepted again as those of a first contact.
    """
    new, old = state / "ssh/existing_known_hosts", state / "ssh/given_known_hosts"
    return old if old.exists() and not new.exists() else new
