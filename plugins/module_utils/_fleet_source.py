# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which inventory a command line means. Private to this collection, pure but for looking whether a path is a directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence


def directory(sources: Sequence[str]) -> str:
    """The absolute directory of the first inventory source: the fleet's name and state belong to it."""
    first = os.path.abspath(str(sources[0]))
    return first if os.path.isdir(first) else os.path.dirname(first)


def unknown_in_limit(limit: str | None, known: Iterable[str]) -> list[str]:
    """Plain names in --limit that are no host and no group; patterns and files are left to Ansible."""
    words = [word.lstrip("!&") for word in re.split(r"[,:]", limit or "")]
    plain = [word for word in words if re.fullmatch(r"[A-Za-z0-9._-]+", word)]
    return sorted(set(plain) - set(known) - {"all", "localhost"})
