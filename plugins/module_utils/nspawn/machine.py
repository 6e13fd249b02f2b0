# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Files, processes and SSH of a machine."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..files import atomic_write

PRIVATE = {"/root": 0o700, "/root/.ssh": 0o700}


@dataclass(frozen=True)
class GuestFile:
    """A file, or with ``link`` a symbolic link, in the root of a machine."""

    path: str
    content: str = ""
    mode: int = 0o644
    link: str = ""

    def matches(self, root: Path) -> bool:
        """Return whether the tree at ``root`` has this file with its content and mode."""
        path = root / self.path.lstrip("/")
        try:
            if self.link or path.is_symlink():
                return bool(self.link) and os.readlink(path) == self.link
            return path.stat().st_mode & 0o777 == self.mode and path.read_text() == self.content
        except (OSError, UnicodeDecodeError):
            return False

    def write(self, root: Path) -> None:
        """Replace this file in the tree at ``root`` atomically; a link there is not followed."""
        path = root / self.path.lstrip("/")
        for parent in reversed(path.relative_to(root).parents[:-1]):
            directory = root / parent
            if not directory.is_dir():
                directory.mkdir()
                directory.chmod(PRIVATE.get(f"/{parent}", 0o755))
        if not self.link:
            atomic_write(path, self.content, self.mode)
            return
        new = path.with_name(f".{path.name}.odp-new")
        new.unlink(missing_ok=True)
        new.symlink_to(self.link)
        new.rename(path)


def guest_root(nspawn: int) -> Path | None:
    """Return the root of a running machine as seen from this host, None until its systemd has started.

    Args:
        nspawn: process ID of the machine's systemd-nspawn, 0 if there is none.
    """
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            status = Path(f"/proc/{child}/status").read_text()
            spaces = next(line.split() for line in status.splitlines() if line.startswith("NSpid:"))
            if nspawn and spaces[-1] == "1" and len(spaces) > 2:
                return Path(f"/proc/{child}/root")
    return None


def ssh_answers(address: str, keys: Path, seconds: float = 5) -> str:
    """Log in by SSH with the fleet's key and return the reason for a failure, empty if it succeeded."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(1)
            if not connection.recv(4).startswith(b"SSH"):
                return f"the server at {address}:22 is not SSH"
    except OSError as error:
        return f"{address}:22: {error}"
    options = [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        f"UserKnownHostsFile={keys}/known_hosts",
        "StrictHostKeyChecking=yes",
    ]
    command = ["ssh", "-F", "none", "-i", str(keys / "id_ed25519"), *(f"-o{option}" for option in options)]
    try:
        done = subprocess.run(
            [*command, f"root@{address}", "true"], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer from SSH at {address} within {seconds} s"
    return done.stderr.strip() or f"ssh exited with {done.returncode}" if done.returncode else ""


def wait_for_ssh(address: str, keys: Path, alive: Callable[[], bool], seconds: float) -> str:
    """Wait until a machine answers SSH and return the reason if it does not, else an empty text.

    Args:
        address: the machine's address.
        keys: directory of the fleet's key and known_hosts.
        alive: returns whether the machine is still running.
        seconds: how long to wait at most.
    """
    deadline = time.monotonic() + seconds
    while reason := ssh_answers(address, keys):
        if not alive():
            return f"{reason}; the machine has stopped"
        if time.monotonic() > deadline:
            return f"{reason}, after {seconds:g} s"
        time.sleep(0.1)
    return ""
