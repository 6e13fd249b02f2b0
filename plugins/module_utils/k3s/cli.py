# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Inspect, run and uninstall k3s on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from ..cluster import kubeconfig
from ..node import systemd as units_client
from ..node.file_io import hold
from . import state as pure

ROOT = Path("/")
BINARY = "/usr/local/bin/k3s"
DATA = "/var/lib/rancher/k3s"
DATABASE = f"{DATA}/server/db"
CLUSTER_PART = "/etc/rancher/k3s/config.yaml.d/10-cluster.yaml"
TOKEN = "/etc/rancher/k3s/token"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
KUBELET_KUBECONFIG = f"{DATA}/agent/kubelet.kubeconfig"
READY_SECONDS = 300
# Files and directories of k3s, as its own k3s-uninstall.sh removes them.
TREES = (
    "/etc/rancher/k3s",
    "/run/k3s",
    "/run/flannel",
    DATA,
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/kubernetes",
)


class K3sError(Exception):
    """k3s failed; the message ends with its output."""


def at(path: str) -> Path:
    """A path of the machine, below ROOT."""
    return ROOT / path.lstrip("/")


def text(path: str) -> str:
    """Content of a file; empty if there is none."""
    return at(path).read_text(encoding="utf-8") if at(path).is_file() else ""


def lock() -> IO[str]:
    """Hold the lock of k3s on this machine until the result is closed; waits for another run."""
    return os.fdopen(hold(at("/run/opendata/k3s.lock"), "k3s"), "r+")


def inspect(server: bool) -> pure.Found:
    """State of k3s on this machine."""
    mark = f"{DATABASE}/etcd/member/wal" if server else f"{DATA}/agent/client-kubelet.crt"
    unit = units_client.states([pure.unit(server)]).get(pure.unit(server), {})
    return pure.Found(
        data=at(mark).exists(),
        active=unit.get("ActiveState") in units_client.RUNNING,
        up=unit.get("ActiveState") == "active",
        enabled=unit.get("UnitFileState") == "enabled",
        part=text(CLUSTER_PART),
    )


def version() -> str:
    """The version of the binary; empty if there is none."""
    if not at(BINARY).exists():
        return ""
    return pure.version(subprocess.run([at(BINARY), "--version"], capture_output=True, text=True, check=False).stdout)


def authority(server: bool) -> str:
    """SHA-256 of the servers' CA, as in the cluster's tokens; empty if the machine has none yet."""
    path = at(f"{DATA}/server/tls/server-ca.crt" if server else f"{DATA}/agent/server-ca.crt")
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def credentials() -> str:
    """Digest of the administrator's credentials; empty on a worker."""
    return kubeconfig.credentials(text(KUBECONFIG))


def run(*arguments: str, log: bool = False) -> str:
    """Run k3s; its output, with its log if wanted.

    :raises K3sError: with the last lines of its output.
    """
    done = subprocess.run([at(BINARY), *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout + (done.stderr if log else "")
    lines = (done.stdout + done.stderr).strip().splitlines()[-40:]
    raise K3sError(f"k3s {' '.join(arguments[:3])} failed with {done.returncode}:\n" + "\n".join(lines))


def ready(server: bool, name: str) -> None:
    """Wait until the API server answers; on an agent through 127.0.0.1:6444, with its own Node.

    :raises K3sError: after READY_SECONDS, with the last answer and the unit's log.
    """
    own = ["kubectl", f"--kubeconfig={at(KUBELET_KUBECONFIG)}", "get", "node", name, "--output=json"]
    command = ["kubectl", f"--kubeconfig={at(KUBECONFIG)}", "get", "--raw=/readyz"] if server else own
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            run(*command)
        except K3sError as error:
            if time.monotonic() > end:
                log = units_client.log(pure.unit(server))
                raise K3sError(f"k3s is not ready after {READY_SECONDS} s: {error}\nIts log ends:\n{log}") from error
            time.sleep(1)
        else:
            return


def present(server: bool) -> list[str]:
    """Existing files that state absent removes; an empty directory, such as a mount point, does not count."""
    paths = [*TREES, BINARY, f"/etc/systemd/system/{pure.unit(server)}"]
    return [path for path in paths if at(path).is_file() or any(at(path).glob("*"))]


def end_containers() -> None:
    """Kill the containers of k3s, then unmount what k3s mounted."""
    shim = f"{DATA}/data/"
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
    """Remove a file or directory, but no other mount inside."""
    points = {str(ROOT / line.split()[1].lstrip("/")) for line in Path("/proc/self/mounts").read_text().splitlines()}
    _remove(at(path), points)


def _remove(place: Path, points: set[str]) -> None:
    """Remove a path recursively, but no mount point."""
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
