# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Take k3s off this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from . import cli as client
from . import state as pure

# Files and folders of k3s, as its own k3s-uninstall.sh removes them.
TREES = (
    "/etc/rancher/k3s",
    "/run/k3s",
    "/run/flannel",
    client.DATA,
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/kubernetes",
)


def present(server: bool) -> list[str]:
    """What absent would remove and is there; an empty folder, as of a mount point, counts as gone."""
    paths = [*TREES, client.BINARY, f"/etc/systemd/system/{pure.unit(server)}"]
    return [path for path in paths if client.at(path).is_file() or any(client.at(path).glob("*"))]


def end_containers() -> None:
    """Kill what k3s' containerd left running, then unmount what it mounted."""
    shim = f"{client.DATA}/data/"
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if words[0].startswith(shim) and words[0].endswith("/bin/containerd-shim-runc-v2"):
                children = (entry / "task" / entry.name / "children").read_text().split()
                for process in [*children, entry.name]:
                    os.kill(int(process), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue
    for point in pure.mounts_to_end(Path("/proc/self/mounts").read_text()):
        subprocess.run(["umount", "--force", "--lazy", point], capture_output=True, check=False)


def remove(path: str) -> None:
    """Remove a file or folder; what somebody else mounted inside is left as it is."""
    points = {
        str(client.ROOT / line.split()[1].lstrip("/")) for line in Path("/proc/self/mounts").read_text().splitlines()
    }
    _remove(client.at(path), points)


def _remove(place: Path, points: set[str]) -> None:
    """Remove a place and what is in it, but no mount point."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    if not any(one.startswith(f"{place}/") for one in points) and str(place) not in points:
        shutil.rmtree(place)
        return
    for inner in place.iterdir():
        if str(inner) not in points:
            _remove(inner, points)
    if str(place) not in points and not any(place.iterdir()):
        place.rmdir()
