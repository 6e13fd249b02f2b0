# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The program git, without questions to anybody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

SECONDS = 120
# What a hook or an alias of git sets for another repository, and the program that would open a window.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_UNWANTED = {*_FOREIGN, "SSH_ASKPASS"}


class GitError(Exception):
    """Git did not do it; the text is what it said."""


class Git:
    """Runs git in one directory."""

    def __init__(self, directory: str) -> None:
        """Let ssh fail instead of asking, in whatever way the user calls it."""
        self.directory = directory
        self._environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        # English words, because they are looked into.
        self._environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
        ssh = os.environ.get("GIT_SSH_COMMAND") or self.ask("config", "core.sshCommand") or "ssh"
        self._environment["GIT_SSH_COMMAND"] = f"{ssh} -oBatchMode=yes"

    def run(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
        """Return what git printed. Raise GitError with its words when it failed."""
        try:
            done = subprocess.run(
                ["git", "-C", self.directory, *arguments],
                input=stdin.encode(),
                env={**self._environment, **(environment or {})},
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise GitError("the program git is not there: install package git") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {arguments[0]} did not end within {SECONDS} s") from error
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise GitError(said.removeprefix("fatal: ") or f"git {arguments[0]} ended with {done.returncode}")
        return done.stdout.decode(errors="replace")

    def line(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Return the one line that git printed."""
        return self.run(*arguments, environment=environment).strip()

    def ask(self, *arguments: str) -> str:
        """Return the same, empty when there is no answer."""
        try:
            return self.line(*arguments)
        except GitError:
            return ""
