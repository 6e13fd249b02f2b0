# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Finds inventories by name or path; without Ansible, whose import takes half a second."""

import difflib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def names() -> list[str]:
    """The inventories of this repository."""
    return sorted(path.name for path in (ROOT / "inventories").iterdir() if path.is_dir())


def find(name: str) -> Path:
    """Path of an inventory given by name or by path; ends the program with the list of names when there is none."""
    given = Path(os.environ.get("ODP_DIRECTORY", ".")) / name
    if name in names():
        return ROOT / "inventories" / name
    if given.exists():
        return given.resolve()
    sys.exit(f"odp: there is no inventory '{name}', by name or path.{near(name, names())}")


def near(name: str, known: list[str]) -> str:
    """The end of a refusal: the known name that is most like this one, and all of them."""
    guesses = difflib.get_close_matches(name, known, n=1)
    return "".join(f" Did you mean {guess}?" for guess in guesses) + f" Known: {', '.join(known)}."


def default() -> str:
    """The inventory of a verb that was given none."""
    return os.environ.get("ODP_INVENTORY", "local")
