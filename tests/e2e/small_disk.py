# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A file system of its own for the machines, that can be full; other programs do not see it."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet import ROOT, run

MACHINES = Path("/var/lib/odp")
FILLER = MACHINES / "filler"


@dataclass
class SmallDisk:
    """An ext4 in a file, mounted at /var/lib/odp in a mount namespace that process `holder` keeps."""

    image: Path
    holder: int

    @property
    def enter(self) -> list[str]:
        """What to put before a command so that it sees this disk."""
        return ["nsenter", f"--mount=/proc/{self.holder}/ns/mnt", "env", f"--chdir={ROOT}"]

    def do(self, *command: str) -> str:
        done = run([*self.enter, *command], 60)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def fill(self, left: int) -> None:
        """Take all space but `left` MiB."""
        free = int(self.do("df", "--output=avail", "--block-size=1M", str(MACHINES)).split()[-1])
        self.do("fallocate", f"--length={free - left}M", str(FILLER))

    def free(self) -> None:
        """Give the space back."""
        self.do("rm", str(FILLER))


@contextlib.contextmanager
def small_disk(image: Path, size: str) -> Iterator[SmallDisk]:
    """The disk until the block ends; it is gone with the last process that uses it."""
    made = not MACHINES.exists()
    MACHINES.mkdir(exist_ok=True)
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec sleep infinity"],
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()  # it has its namespace now
        disk = SmallDisk(image, holder.pid)
        disk.do("truncate", f"--size={size}", str(image))
        disk.do("mkfs.ext4", "-q", "-m", "0", str(image))
        disk.do("mount", "-o", "loop", str(image), str(MACHINES))
        yield disk
    finally:
        holder.kill()
        holder.wait()
        image.unlink(missing_ok=True)
        if made:
            MACHINES.rmdir()
