# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One machine's files, processes and SSH."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ..files import atomic_write

PRIVATE = {"/root": 0o700, "/root/.ssh": 0o700}


@dataclass(frozen=True)
class GuestFile:
    """A file, or with ``link`` a symbolic link, that a machine's root holds."""

    path: str
    content: str = ""
    mode: int = 0o644
    link: str = ""

    def matches(self, root: Path) -> bool:
        """Say whether the tree at ``root`` holds this file as it should be."""
        path = root / self.path.lstrip("/")
        try:
            if self.link or path.is_symlink():
                return bool(self.link) and os.readlink(path) == self.link
            return path.stat().st_mode & 0o777 == self.mode and path.read_text() == self.content
        except (OSError, UnicodeDecodeError):
            return False

    def write(self, root: Path) -> None:
        """Replace this file in the tree at ``root`` at once; what a link there points to is not touched."""
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
    """Return the running machine's root as this host sees it, None while its systemd has not started.

    Args:
        nspawn: process id of the machine's systemd-nspawn, 0 if there is none.
    """
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            status = Path(f"/proc/{child}/status").read_text()
            spaces = next(line.split() for line in status.splitlines() if line.startswith("NSpid:"))
            if nspawn and spaces[-1] == "1" and len(spaces) > 2:
                return Path(f"/proc/{child}/root")
    return None


def ssh_answers(address: str, keys: Path, seconds: float = 5) -> str:
    """Log in by SSH with the fleet's key and return an empty text, or why that failed."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(1)
            if not connection.recv(4).startswith(b"SSH"):
                return f"what answers at {address}:22 is not SSH"
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
    return done.stderr.strip() or f"ssh ended with {done.returncode}" if done.returncode else ""


def wait_for_ssh(address: str, keys: Path, alive, seconds: float) -> str:
    """Wait until a machine answers SSH and return an empty text, or why it does not.

    Args:
        address: the machine's address.
        keys: directory of the fleet's key and known_hosts.
        alive: called at each turn, says whether the machine is still there.
        seconds: how long to wait at most.
    """
    deadline = time.monotonic() + seconds
    while reason := ssh_answers(address, keys):
        if not alive():
            return f"{reason}; the machine ended"
        if time.monotonic() > deadline:
            return f"{reason}, after {seconds:g} s"
        time.sleep(0.1)
    return ""
