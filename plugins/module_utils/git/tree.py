# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One folder of a Git repository: findings, differences, and one commit with exactly the given files."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SHOWN, _FILE, _SUBMODULE, _GONE = 4, "100644", "160000", "0"
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


class Entry(NamedTuple):
    """An entry of a Git tree."""

    mode: str
    name: str


def blob(data: bytes, like: str) -> str:
    """Return the name that Git gives to the data; `like` is any name of the repository, for its kind of digest."""
    digest = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(data) + data).hexdigest()


class Tree:
    """A folder `path` on a branch, in the repository that holds a directory."""

    def __init__(self, directory: str, path: str, branch: str) -> None:
        """Nothing is read before `findings`."""
        self._git, self.top, self.path, self.branch = Git(directory), directory, path, branch
        self.head = self.tip = self._remote = ""

    def findings(self) -> list[str]:
        """Return what prevents writing the folder; without findings the state of the remote is loaded."""
        try:
            self.top = self._git.directory = self._git.line("rev-parse", "--show-toplevel")
        except GitError as error:
            step = "set a clone of the repository that Flux reads"
            return [f"{self.top} is not in a usable Git repository ({error}): {step}"]
        git = f"git -C {self.top}"
        here = self._git.ask("symbolic-ref", "--short", "HEAD")
        if here != self.branch:
            what = f"branch {here}" if here else "no branch"
            return [f"{self.top} has {what} checked out, not {self.branch}: {git} switch {self.branch}"]
        found = self._of_the_remote(git)
        if files := self._uncommitted():
            some = ", ".join([*files[:SHOWN], *(["…"] if len(files) > SHOWN else [])])
            step = f"{git} stash --include-untracked -- {self.path}"
            problem = f"may only be written by this module, but has uncommitted changes ({some})"
            found.append(f"{self.path} {problem}: {step}")
        return found

    def _of_the_remote(self, git: str) -> list[str]:
        branch = f"branch {self.branch} of {self.top}"
        self._remote = self._git.ask("config", f"branch.{self.branch}.remote")
        merge = self._git.ask("config", f"branch.{self.branch}.merge")
        if self._remote in ("", ".") or not merge:
            return [f"{branch} has no upstream: {git} push --set-upstream origin {self.branch}"]
        where = f"{self._remote}/{self.branch}"
        if merge != f"refs/heads/{self.branch}":
            return [f"{branch} is pushed to {merge}, a branch of another name: {git} branch --set-upstream-to {where}"]
        try:
            self._git.run("fetch", "--quiet", "--no-tags", self._remote, merge)
        except GitError as error:
            return [f"{where} of {self.top} cannot be fetched ({error}): fix what makes {git} fetch fail"]
        self.head, self.tip = self._git.line("rev-parse", "HEAD"), self._git.line("rev-parse", "FETCH_HEAD")
        ahead = int(self._git.line("rev-list", "--count", f"{self.tip}..{self.head}"))
        behind = int(self._git.line("rev-list", "--count", f"{self.head}..{self.tip}"))
        if ahead and behind:
            between = f"commits here: {ahead}, there: {behind}"
            return [f"{branch} has diverged from {where} ({between}): {git} pull --rebase, and push"]
        if ahead:
            return [f"{branch} has commits that are not pushed ({ahead}): {git} push"]
        if behind and not self._is_ours():
            return [f"{branch} is behind {where} (commits: {behind}): {git} pull --ff-only"]
        return []

    def _is_ours(self) -> bool:
        """Whether the remote is ahead in this folder only: a run was interrupted before its last local step."""
        paths = self._git.run("diff", "--name-only", "--no-renames", "-z", self.head, self.tip).split("\0")
        return all(path.startswith(f"{self.path}/") for path in paths if path)

    def _uncommitted(self) -> list[str]:
        """Files of the folder that match neither the local nor the remote commit (an interrupted last step is fine)."""
        lines = self._git.run("status", "--porcelain", "--untracked-files=all", "--", self.path).splitlines()
        if lines and self.tip:
            others = self._git.run("ls-files", "--others", "--exclude-standard", "--", self.path)
            if not others and not self._git.run("diff", "--name-only", self.tip, "--", self.path):
                return []
        return [line[3:] for line in lines]

    def entries(self) -> dict[str, Entry]:
        """Return what the folder holds on the remote, by path below it."""
        found = {}
        for line in filter(None, self._git.run("ls-tree", "-r", "-z", self.tip, "--", f"{self.path}/").split("\0")):
            about, _, path = line.partition("\t")
            mode, _kind, name = about.split(" ")
            found[path.removeprefix(f"{self.path}/")] = Entry(mode, name)
        return found

    def wanted(self, files: Mapping[str, str]) -> dict[str, Entry]:
        """Return the entries of the given files, by path below the folder."""
        return {path: Entry(_FILE, blob(text.encode(), self.tip)) for path, text in files.items()}

    def text(self, entry: Entry) -> str:
        """Return what a file holds; of a submodule the commit."""
        return entry.name if entry.mode == _SUBMODULE else self._git.run("cat-file", "blob", entry.name)

    def publish(self, files: Mapping[str, str], message: str) -> None:
        """Push one commit with exactly these files in the folder; local files change after the remote accepted it."""
        wanted = self.wanted(files)
        with tempfile.TemporaryDirectory() as place:
            for path, entry in wanted.items():
                Path(place, entry.name).write_bytes(files[path].encode())
            texts = "\n".join(f"{place}/{entry.name}" for entry in wanted.values())
            self._git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=texts)
            gone = {path: Entry(_GONE, "0" * len(self.tip)) for path in self.entries()}
            # What was there goes first: a file may have become a folder.
            lines = [(entry, path) for entries in (gone, wanted) for path, entry in entries.items()]
            changes = "".join(f"{mode} {name}\t{self.path}/{path}\0" for (mode, name), path in lines)
            index = {"GIT_INDEX_FILE": f"{place}/index"}
            self._git.run("read-tree", self.tip, environment=index)
            self._git.run("update-index", "-z", "--index-info", stdin=changes, environment=index)
            tree = self._git.line("write-tree", environment=index)
        commit = self._git.line("commit-tree", tree, "-p", self.tip, "-m", message)
        try:
            self._git.run("push", "--quiet", self._remote, f"{commit}:refs/heads/{self.branch}")
        except GitError as error:
            there = self._git.ask("ls-remote", self._remote, f"refs/heads/{self.branch}").partition("\t")[0]
            # The push may have been accepted before the connection broke.
            if there != commit:
                git, said = f"git -C {self.top}", f"{self._remote} rejected the push, nothing was changed"
                step = f"find the reason with {git} push --dry-run"
                if there not in ("", self.tip):
                    step = f"someone else has pushed meanwhile: {git} pull --ff-only, and run again"
                raise GitError(f"{said}; {step}. Git reports: {error}") from error
        self.tip = commit

    def catch_up(self) -> None:
        """Update the local branch and folder to the remote's state; all other files stay as they are."""
        if self.head != self.tip:
            self._git.run("restore", f"--source={self.tip}", "--staged", "--worktree", "--", self.path)
            self._git.run("update-ref", "-m", "odp: tree", f"refs/heads/{self.branch}", self.tip, self.head)
