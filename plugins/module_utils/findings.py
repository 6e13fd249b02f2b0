# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The one shape of a finding, and where in an inventory it stands. Pure."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """One fault that a preflight, a check or the doctor found. It is text only where it leaves: ``str(finding)``.

    severity: an error stops the run before anything is changed, a warning does not.
    code: stable identifier of the rule, for programs and docs; empty where the variable identifies the rule.
    subject: the cluster, node, service or program that it is about; several with commas between them.
    variable: the variable, key or field to change; empty where there is none.
    where: the file and line of an inventory, or the object of a cluster, that holds it; empty where there is none.
    value: the offending value as text, for programs; ``problem`` names it for people. Never a secret.
    problem: what is wrong, without a full stop.
    step: the next step, one or more sentences.
    """

    severity: Severity
    subject: str
    variable: str
    problem: str
    step: str
    where: str = ""
    code: str = ""
    value: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it stops the run."""
        return self.severity == "error"

    def __str__(self) -> str:
        what = ": ".join(filter(None, [self.code, self.subject, self.variable, self.problem]))
        where = f" ({self.where})" if self.where else ""
        return f"{what}{where}. {self.step}"


def as_text(judge: Callable[..., Iterable[Finding]]) -> Callable[..., list[str]]:
    """The same function for templates, which get findings as text."""

    @functools.wraps(judge)
    def texts(*args: object, **kwargs: object) -> list[str]:
        return [str(each) for each in judge(*args, **kwargs)]

    return texts


class Findings:
    """Collects findings and looks up where each one stands."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._all: list[Finding] = []

    def error(self, subject: str, variable: str, problem: str, step: str) -> None:
        """Add what makes the inventory unusable."""
        self._add("error", subject, variable, problem, step)

    def warning(self, subject: str, variable: str, problem: str, step: str) -> None:
        """Add what works but is likely not meant."""
        self._add("warning", subject, variable, problem, step)

    def variables(self) -> set[str]:
        """The variables that errors are about."""
        return {each.variable for each in self._all if each.is_error}

    def sorted(self) -> list[Finding]:
        """Errors first, then by subject, variable and text; each once."""
        return sorted(set(self._all), key=lambda found: (found.severity, found))

    def _add(self, severity: Severity, subject: str, variable: str, problem: str, step: str) -> None:
        where = locate(self._files, subject, variable)
        self._all.append(Finding(severity, subject, variable, problem, step, where))


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
