# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Client of the program git, which never prompts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

SECONDS = 120
# Variables that a hook or alias of git sets for another repository, and the program that would open a window.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_UNWANTED = {*_FOREIGN, "SSH_ASKPASS"}


class GitError(Exception):
    """Git failed; the text is its message."""


class Git:
    """Runs git in one directory."""

    def __init__(self, directory: str) -> None:
        """Make ssh fail instead of prompting, with the user's own ssh command."""
        self.directory = directory
        self._environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        # English messages, because they are parsed.
        self._environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
        ssh = os.environ.get("GIT_SSH_COMMAND") or self.ask("config", "core.sshCommand") or "ssh"
        self._environment["GIT_SSH_COMMAND"] = f"{ssh} -oBatchMode=yes"

    def run(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
        """Return the output of git. Raise GitError with its message when it failed."""
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
            raise GitError("the program git is not installed: install package git") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {arguments[0]} did not finish within {SECONDS} s") from error
        if done.returncode:
            message = " ".join(done.stderr.decode(errors="replace").split())
            raise GitError(message.removeprefix("fatal: ") or f"git {arguments[0]} exited with {done.returncode}")
        return done.stdout.decode(errors="replace")

    def line(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Return the output of git as one line."""
        return self.run(*arguments, environment=environment).strip()

    def ask(self, *arguments: str) -> str:
        """Return the output of git as one line, empty when it failed."""
        try:
            return self.line(*arguments)
        except GitError:
            return ""
