# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Finds inventories by name or path, without Ansible, whose import takes half a second. Every verb imports it."""

import difflib
import os
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error that ends the program, but not Ctrl-C, whose exit code is the shell's own (130)."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = show


def names() -> list[str]:
    """The inventories of this repository."""
    return sorted(path.name for path in (ROOT / "inventories").iterdir() if path.is_dir())


def from_user(path: str) -> Path:
    """A path as the user typed it: verbs run in another directory."""
    return Path(os.environ.get("ODP_DIRECTORY", ".")) / path


def find(name: str) -> Path:
    """Path of an inventory given by name or by path; exits with the list of names if there is none."""
    given = from_user(name)
    if name in names():
        return ROOT / "inventories" / name
    if given.exists():
        return given.resolve()
    sys.exit(f"odp: there is no inventory '{name}', by name or path.{near(name, names())}")


def near(name: str, known: list[str]) -> str:
    """A suggestion for an unknown name: the closest known one, and all of them."""
    guesses = difflib.get_close_matches(name, known, n=1)
    return "".join(f" Did you mean {guess}?" for guess in guesses) + f" Known: {', '.join(known)}."


def default() -> str:
    """The inventory of a verb without an argument."""
    return os.environ.get("ODP_INVENTORY", "local")
