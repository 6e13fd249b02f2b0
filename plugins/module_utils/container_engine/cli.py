# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run a container engine by its program, docker or podman.

By program, not by community.docker and containers.podman: community.docker connects to a socket and ignores the context
of the Docker CLI (Docker Desktop, Colima, rootless), and the two collections describe the same container differently.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
from typing import Any

ENGINES = ("docker", "podman")
# Messages of docker and of podman.
_NOT_THERE = re.compile(r"no such|not (found|known)|could not (be found|find)|does not exist", re.IGNORECASE)
_KEPT = re.compile(rf"{_NOT_THERE.pattern}|active endpoints|in use|being used", re.IGNORECASE)


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
        return self._succeeds(_NOT_THERE, "image", "inspect", by_digest(image))

    def manifest_refusal(self, image: str) -> str:
        """Why the image's registry does not serve its manifest; empty if it does. Pulls nothing."""
        try:
            self.run("manifest", "inspect", by_digest(image))
        except EngineError as error:
            return str(error)
        return ""

    def read_file(self, container: str, path: str) -> str:
        """Content of a file in a container, which may be stopped; empty if there is none."""
        try:
            return only_file(self.run("cp", f"{container}:{path}", "-"))
        except EngineError as error:
            if _NOT_THERE.search(str(error)):
                return ""
            raise

    def write_files(self, container: str, files: dict[str, str]) -> None:
        """Write files (content by path) into a container, which may be stopped."""
        self.run("cp", "-", f"{container}:/", stdin=archive(files))

    def ensure_network(self, name: str) -> None:
        """Create a network if it is missing."""
        if not self._succeeds(_NOT_THERE, "network", "inspect", name):
            self.run("network", "create", "--driver", "bridge", name)

    def remove_network(self, name: str) -> None:
        """Remove a network unless containers use it."""
        self._succeeds(_KEPT, "network", "rm", name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume unless a container uses it."""
        self._succeeds(_KEPT, "volume", "rm", name)

    def _succeeds(self, tolerated: re.Pattern[str], *command: str) -> bool:
        """Run a command; whether it succeeded. Raise EngineError unless the message of the failure is tolerated."""
        try:
            self.run(*command)
        except EngineError as error:
            if tolerated.search(str(error)):
                return False
            raise
        return True


def memory(info: dict[str, Any]) -> int:
    """Bytes of memory for containers; on a Mac those of the engine's virtual machine.

    :param info: output of ``docker info`` or ``podman info``.
    """
    return int(info.get("MemTotal") or (info.get("host") or {}).get("memTotal") or 0)


def published(containers: list[dict[str, Any]]) -> dict[int, str]:
    """Name of the container by published port of the host.

    :param containers: output of ``inspect``.
    """
    return {
        int(binding["HostPort"]): container["Name"].lstrip("/")
        for container in containers
        for bindings in ((container.get("NetworkSettings") or {}).get("Ports") or {}).values()
        for binding in bindings or []
        if binding.get("HostPort")
    }


def by_digest(image: str) -> str:
    """The image without its tag if it has a digest: podman does not accept both."""
    name, at, digest = image.partition("@")
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}@{digest}" if at else image


def archive(files: dict[str, str]) -> bytes:
    """A tar archive of files (content by absolute path), with their parent directories."""
    stream = io.BytesIO()
    folders: set[str] = set()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, text in sorted(files.items()):
            parts = path.strip("/").split("/")
            for depth in range(1, len(parts)):
                if (folder := "/".join(parts[:depth])) not in folders:
                    folders.add(folder)
                    tar.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            data = text.encode()
            entry = _entry("/".join(parts), 0o644, tarfile.REGTYPE)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type = mode, kind
    return entry


def only_file(data: bytes) -> str:
    """Content of the only file in a tar archive; empty if there is none."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        content = tar.extractfile(files[0]) if files else None
        return content.read().decode(errors="replace") if content else ""


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
