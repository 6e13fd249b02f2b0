# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run a container engine by its program, docker or podman.

By program, not by community.docker and containers.podman: community.docker connects to a socket and ignores the context
of the Docker CLI (Docker Desktop, Colima, rootless), and the two collections describe the same container differently.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
import socket
import subprocess
from typing import Any

from . import output as pure

# Messages of docker and of podman.
_NOT_THERE = re.compile(r"no such|not (found|known)|could not (be found|find)|does not exist", re.IGNORECASE)
_IN_USE = re.compile(r"active endpoints|in use|being used", re.IGNORECASE)


class EngineError(Exception):
    """The engine failed; the message is for the user."""


class Engine:
    """One container engine, by the name of its program."""

    def __init__(self, program: str) -> None:
        """Runs no command."""
        self.program = program

    def installed(self) -> bool:
        """Whether its program is in PATH."""
        return shutil.which(self.program) is not None

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Output of a command. Raise EngineError with what it printed when it fails."""
        try:
            done = subprocess.run([self.program, *arguments], input=stdin, capture_output=True, check=False)
        except FileNotFoundError as error:
            raise EngineError(f"{self.program} is not installed.") from error
        if done.returncode:
            words = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise EngineError(words or f"{self.program} {arguments[0]} ended with {done.returncode}.")
        return done.stdout

    def info(self) -> dict[str, Any]:
        """Output of ``info``. Raise EngineError when the engine does not answer."""
        found: dict[str, Any] = json.loads(self.run("info", "--format", "{{json .}}"))
        return found

    def containers(self, *filters: str) -> list[dict[str, Any]]:
        """Output of ``inspect`` for containers, stopped ones too.

        :param filters: such as label=a=b; all must match.
        """
        words = [word for each in filters for word in ("--filter", each)]
        names = self.run("ps", "--all", *words, "--format", "{{.Names}}").decode().split()
        return json.loads(self.run("inspect", "--type", "container", *sorted(names))) if names else []

    def has_image(self, image: str) -> bool:
        """Whether the image is available locally."""
        return self._is_there("image", "inspect", pure.by_digest(image))

    def manifest_refusal(self, image: str) -> str:
        """Why the image's registry does not serve its manifest; empty if it does. Pulls nothing."""
        try:
            self.run("manifest", "inspect", pure.by_digest(image))
        except EngineError as error:
            return str(error)
        return ""

    def read_file(self, container: str, path: str) -> str:
        """Content of a file in a container, which may be stopped; empty if there is none."""
        try:
            return pure.only_file(self.run("cp", f"{container}:{path}", "-"))
        except EngineError as error:
            if _NOT_THERE.search(str(error)):
                return ""
            raise

    def write_files(self, container: str, files: dict[str, str]) -> None:
        """Write files (content by path) into a container, which may be stopped."""
        self.run("cp", "-", f"{container}:/", stdin=pure.archive(files))

    def ensure_network(self, name: str) -> None:
        """Create a network if it is missing."""
        if not self._is_there("network", "inspect", name):
            self.run("network", "create", "--driver", "bridge", name)

    def remove_network(self, name: str) -> None:
        """Remove a network unless containers use it."""
        self._remove("network", "rm", name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume unless a container uses it."""
        self._remove("volume", "rm", name)

    def _remove(self, *command: str) -> None:
        try:
            self.run(*command)
        except EngineError as error:
            if not _NOT_THERE.search(str(error)) and not _IN_USE.search(str(error)):
                raise

    def _is_there(self, *question: str) -> bool:
        try:
            self.run(*question)
        except EngineError as error:
            if _NOT_THERE.search(str(error)):
                return False
            raise
        return True


def port_busy(port: int) -> bool:
    """Whether a program of this host listens on the port. Only root can bind a low port, so it connects too."""
    with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(("127.0.0.1", port))
        return True
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
