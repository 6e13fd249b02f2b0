# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is wrong with an inventory, and where it stands. Private to this collection, pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to mend: whose it is, which variable, what is wrong, what to do, in which file."""

    error: bool
    subject: str
    variable: str
    problem: str
    step: str
    where: str

    def __str__(self) -> str:
        what = f"{self.subject}: {self.variable}" if self.variable else self.subject
        return f"{what}: {self.problem} ({self.where}). {self.step}"


class Findings:
    """Collects findings and looks up where each one stands."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._all: list[Finding] = []

    def error(self, subject: str, variable: str, problem: str, step: str) -> None:
        """Add what makes the inventory unusable."""
        self._add(True, subject, variable, problem, step)

    def warning(self, subject: str, variable: str, problem: str, step: str) -> None:
        """Add what works but is likely not meant."""
        self._add(False, subject, variable, problem, step)

    def sorted(self) -> list[Finding]:
        """Errors first, then by subject, variable and text; each once."""
        return sorted(set(self._all), key=lambda found: (not found.error, found))

    def _add(self, error: bool, subject: str, variable: str, problem: str, step: str) -> None:
        where = locate(self._files, subject, variable)
        self._all.append(Finding(error, subject, variable, problem, step, where))


def locate(files: dict[str, str], host: str, variable: str) -> str:
    """The file, and the line if it is plain, in which `host` gets `variable`; else the first inventory file.

    A file of the host itself wins, then the variable below the host's own line, then any line that sets the variable.
    """
    setting = re.compile(rf"^\s*[\"']?{re.escape(variable)}[\"']?\s*[:=]|[{{,\s]{re.escape(variable)}\s*[:=]")
    entry = re.compile(rf"^\s*[\"']?{re.escape(host)}[\"']?(\s*:|\s|$)")
    anywhere = ""
    for path, text in sorted(files.items(), key=lambda item: ("host_vars/" + host not in item[0], item[0])):
        current = False
        for number, line in enumerate(text.splitlines(), start=1):
            if entry.search(line):
                current = True
                indent = len(line) - len(line.lstrip())
            elif current and line.strip() and len(line) - len(line.lstrip()) <= indent:
                current = False
            found = bool(variable) and bool(setting.search(line))
            if (found and (current or f"host_vars/{host}" in path)) or (not variable and current):
                return f"{path}:{number}"
            if found and not anywhere:
                anywhere = f"{path}:{number}"
    return anywhere or _entry(files, entry)


def _entry(files: dict[str, str], entry: re.Pattern[str]) -> str:
    """Where the host itself stands; else the first file."""
    for path, text in sorted(files.items()):
        for number, line in enumerate(text.splitlines(), start=1):
            if entry.search(line):
                return f"{path}:{number}"
    return min(files, default="the inventory")


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """The nearest known word as a sentence, and all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(value, words, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{guess}Known: {', '.join(words) or 'none'}."
