# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run kubeadm on this machine, and inspect its results."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

from ..cluster import kubeconfig
from ..node import file_io as files_client
from . import state as pure

ROOT = Path("/")
RECORD = "/etc/kubernetes/opendata-platform.json"
# A reboot clears it, and makes the restart unnecessary.
RESTARTS = "/run/opendata/renewed"
READY_SECONDS = 180
TRACES = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/pki/ca.crt",
    "/var/lib/kubelet/config.yaml",
)


class KubeadmError(Exception):
    """kubeadm failed; the message ends with its output."""


def at(path: str) -> Path:
    """A path of the machine, below ROOT."""
    return ROOT / path.lstrip("/")


def lock() -> int:
    """Wait until no other kubeadm of this collection runs on the machine; see `file_io.hold`."""
    return files_client.hold(at("/run/opendata/kubeadm.lock"), "kubeadm")


def inspect(files: list[str]) -> pure.Found:
    """State of kubeadm on this machine, and the digests of ``files``."""
    try:
        record = json.loads(at(RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    manifests = {path.stem: path.read_text() for path in sorted(at("/etc/kubernetes/manifests").glob("*.yaml"))}
    return pure.Found(
        record=record,
        traces=tuple(path for path in TRACES if at(path).exists()) + tuple(manifests),
        etcd=at("/var/lib/etcd/member").is_dir(),
        identity=at("/var/lib/kubelet/pki/kubelet-client-current.pem").exists(),
        files={path: files_client.find(str(at(path)), with_text=False).sha256 for path in files},
        manifests={name: text for name, text in manifests.items() if name in pure.MANIFESTS},
    )


def record_success(files: list[str] | dict[str, str], lock_descriptor: int) -> None:
    """Record that kubeadm succeeded: its version, the manifests that it wrote, and the files that it used.

    :param files: paths of those files as they are now, or their digests if kubeadm used an older content.
    """
    found = inspect([*files])
    digests = files if isinstance(files, dict) else found.files
    version = run(lock_descriptor, "kubeadm", "version", "--output=short").strip()
    text = json.dumps({"files": digests, "manifests": found.manifests, "version": version}, indent=1)
    files_client.write(str(at(RECORD)), text, 0o600)


def run(descriptor: int, *command: str) -> str:
    """Run a command under the lock; its output.

    :raises KubeadmError: with the last lines of its output.
    """
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=(descriptor,), env=environment)
    if done.returncode == 0:
        return done.stdout
    # Coloured lines are its list of kernel features.
    lines = [line for line in (done.stdout + done.stderr).strip().splitlines() if "\x1b" not in line]
    raise KubeadmError(f"{' '.join(command[:3])} failed with {done.returncode}:\n" + "\n".join(lines[-40:]))


def credentials() -> str:
    """Digest of the administrator's credentials; empty on a worker."""
    path = at("/etc/kubernetes/admin.conf")
    return kubeconfig.credentials(path.read_text(encoding="utf-8")) if path.exists() else ""


def certificate_days() -> dict[str, int]:
    """Full days until expiry of each certificate on this machine."""
    now, days = datetime.now(timezone.utc), {}  # noqa: UP017 for Python 3.10
    pem = at("/var/lib/kubelet/pki/kubelet-client-current.pem")
    for path in [*sorted(at("/etc/kubernetes/pki").rglob("*.crt")), *([pem] if pem.exists() else [])]:
        if end := pure.not_after(path.read_text(encoding="utf-8")):
            days[f"/{path.relative_to(ROOT)}"] = (end - now).days
    return days


def restart(*programs: str) -> None:
    """Terminate programs of static pods; the kubelet restarts them, and they read their files again."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            # The kernel stores fifteen characters.
            if comm.read_text().strip() in {program[:15] for program in programs}:
                os.kill(int(comm.parent.name), signal.SIGTERM)
        except (OSError, ProcessLookupError):
            continue


def record_restarts() -> None:
    """Record that the control plane must be restarted, in case the run is killed before."""
    at(RESTARTS).touch()


def restarts_due() -> list[str]:
    """Restarts that a killed run left undone, for the diff."""
    return ["restart the control plane with its renewed certificates"] if at(RESTARTS).exists() else []


def clear_restarts() -> None:
    """Record that the control plane was restarted."""
    at(RESTARTS).unlink()


def wait_ready(address: str) -> None:
    """Wait until the API server of this machine is ready.

    :raises KubeadmError: after READY_SECONDS, with the last answer.
    """
    # Unverified: the request goes to this machine, and carries no secret.
    context = ssl._create_unverified_context()
    end, answer = time.monotonic() + READY_SECONDS, ""
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"https://{address}:6443/readyz", timeout=5, context=context) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            answer = str(error)
        time.sleep(1)
    raise KubeadmError(f"The API server at {address}:6443 is not ready after {READY_SECONDS} s: {answer}")
