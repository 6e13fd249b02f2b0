# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run kubeadm on this machine and look at what it made."""

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
# A reboot clears it, and makes the restart needless.
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
    """kubeadm failed; the message holds the end of what it said."""


def at(path: str) -> Path:
    """A path of the machine, below ROOT."""
    return ROOT / path.lstrip("/")


def lock() -> int:
    """Wait until no other kubeadm of ours runs here; see `file_io.hold`."""
    return files_client.hold(at("/run/opendata/kubeadm.lock"), "kubeadm")


def look(files: list[str]) -> pure.Found:
    """What kubeadm made here, and the digests of ``files``."""
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


def note(files: list[str] | dict[str, str], lock_descriptor: int) -> None:
    """Note that kubeadm ended well: its version, the manifests it wrote, and the files it had.

    :param files: paths of those files as they are now, or their digests where others than now were used.
    """
    found = look([*files])
    digests = files if isinstance(files, dict) else found.files
    version = run(lock_descriptor, "kubeadm", "version", "--output=short").strip()
    text = json.dumps({"files": digests, "manifests": found.manifests, "version": version}, indent=1)
    files_client.write(str(at(RECORD)), text, 0o600)


def run(descriptor: int, *command: str) -> str:
    """Run a command under the lock; its output.

    :raises KubeadmError: with the last lines of what it said.
    """
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=(descriptor,), env=environment)
    if done.returncode == 0:
        return done.stdout
    # What is coloured is its list of the kernel's features.
    lines = [line for line in (done.stdout + done.stderr).strip().splitlines() if "\x1b" not in line]
    raise KubeadmError(f"{' '.join(command[:3])} failed with {done.returncode}:\n" + "\n".join(lines[-40:]))


def credentials() -> str:
    """Digest of the administrator's credentials; empty on an agent."""
    path = at("/etc/kubernetes/admin.conf")
    return kubeconfig.credentials(path.read_text(encoding="utf-8")) if path.exists() else ""


def certificate_days() -> dict[str, int]:
    """Whole days left of each certificate that kubeadm made here."""
    now, days = datetime.now(timezone.utc), {}  # noqa: UP017 for Python 3.10
    pem = at("/var/lib/kubelet/pki/kubelet-client-current.pem")
    for path in [*sorted(at("/etc/kubernetes/pki").rglob("*.crt")), *([pem] if pem.exists() else [])]:
        if end := pure.not_after(path.read_text(encoding="utf-8")):
            days[f"/{path.relative_to(ROOT)}"] = (end - now).days
    return days


def restart(*programs: str) -> None:
    """End programs of static pods; the kubelet starts them again, with the files they read as they are now."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            # The kernel keeps fifteen characters.
            if comm.read_text().strip() in {program[:15] for program in programs}:
                os.kill(int(comm.parent.name), signal.SIGTERM)
        except (OSError, ProcessLookupError):
            continue


def note_restarts() -> None:
    """Note that the control plane must start anew, for the case that the run is killed before it did."""
    at(RESTARTS).touch()


def restarts_due() -> list[str]:
    """In words what a killed run left undone."""
    return ["restart the control plane with its renewed certificates"] if at(RESTARTS).exists() else []


def forget_restarts() -> None:
    """The control plane has started anew."""
    at(RESTARTS).unlink()


def wait_ready(address: str) -> None:
    """Wait until the API server of this machine says that it is ready.

    :raises KubeadmError: with its last answer after READY_SECONDS.
    """
    # Unverified: this very machine is asked, and nothing secret is sent.
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
