# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Unpack images once for all machines of this host, whose containerd then has them from its first start."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..artifacts.registry import push_registry
from . import host
from .layout import STATE

# Where a machine has the directory of the unpacked images, read-only.
INSIDE = "/var/lib/odp-images"
# Directories of containerd whose entries it writes once, and its databases of them.
SHARED = ("io.containerd.content.v1.content/blobs/sha256", "io.containerd.snapshotter.v1.overlayfs/snapshots")
DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")
# Directory in which the machines keep the BPF programs that they compiled, for each other.
COMPILED = "compiled"
# Plugins of containerd that run containers, or write elsewhere on the host.
UNUSED = ("grpc.v1.cri", "cri.v1.images", "cri.v1.runtime", "nri.v1.nri", "internal.v1.opt", "internal.v1.restart")
START_SECONDS = 10
KEPT_SECONDS = 86400


@dataclass(frozen=True)
class Programs:
    """Programs of this host: directory of containerd and ctr, the registry and the storage that it serves."""

    containerd: Path
    registry: Path
    storage: Path


def directory(store: Path, images: Mapping[str, str]) -> Path:
    """Return where images are unpacked.

    Args:
        store: directory of all unpacked images.
        images: digest of each image by its name with tag.
    """
    digest = hashlib.sha256(json.dumps(sorted(images.items())).encode()).hexdigest()
    return store / digest[:12]


def unpack(target: Path, images: list[str], programs: Programs) -> None:
    """Unpack images unless they are, and remove those that are unused then. Raises HostError, OSError.

    Args:
        target: the directory, in that of all unpacked images; it exists afterwards, complete.
        images: names with tags; the storage of the registry has them.
        programs: what does the work.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w", encoding="utf-8") as lock:
        # Another run may be unpacking the same.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            os.utime(target)
            return
        host.remove(*unused(target.parent))
        new = target.with_name(f"{target.name}.new")
        for path in (new, new / COMPILED):
            path.mkdir(mode=0o711)
        try:
            with tempfile.TemporaryDirectory(prefix="odp-images-") as run:
                _pull(new, images, programs, Path(run))
            new.rename(target)
        finally:
            # What was unpacked until a failure may fill the disk.
            host.remove(new)


def unused(store: Path) -> list[Path]:
    """Return the directories of unpacked images that no machine and no snapshot uses, and no run used for a day.

    A run that is going on may not have recorded its machines yet.
    """
    files = [*STATE.glob("*/machines*/*/images"), *(store.parent / "snapshots").glob("*/*/machines/*/images")]
    used, then = {path.read_text().strip() for path in files}, time.time() - KEPT_SECONDS
    found = [path for path in store.iterdir() if path.is_dir() and str(path) not in used]
    return [path for path in found if path.suffix == ".new" or path.stat().st_mtime < then]


def share(images: Path, containerd: Path) -> None:
    """Give a machine's containerd, which was never started, unpacked images that it has at `INSIDE`.

    Args:
        images: the directory of the unpacked images.
        containerd: directory of the machine's containerd on this host; what a killed run left there is replaced.
    """
    host.remove(containerd)
    for part in SHARED:
        (containerd / part).mkdir(parents=True, mode=0o700)
        for path in (images / part).iterdir():
            (containerd / part / path.name).symlink_to(f"{INSIDE}/{part}/{path.name}")
    for part in DATABASES:
        (containerd / part).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy(images / part, containerd / part)


def _pull(root: Path, images: list[str], programs: Programs, run: Path) -> None:
    with (
        push_registry(str(programs.registry), programs.storage, run / "registry.log") as registry,
        _containerd(root, programs.containerd / "containerd", run) as socket,
    ):
        for name in {image.partition("/")[0] for image in images}:
            (run / "certs" / name).mkdir(parents=True)
            (run / "certs" / name / "hosts.toml").write_text(
                f'[host."http://{registry}/v2/{name}"]\ncapabilities = ["pull", "resolve"]\noverride_path = true\n'
            )
        # Without containerd's own transfer service, which does not take the directory.
        ctr = (str(programs.containerd / "ctr"), "--address", str(socket), "--namespace", "k8s.io")
        pull = (*ctr, "images", "pull", "--local", "--hosts-dir", str(run / "certs"))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda image: host.run(*pull, image), images))


@contextlib.contextmanager
def _containerd(root: Path, program: Path, run: Path) -> Iterator[Path]:
    """Run containerd, without a service that could run containers, and yield its socket. Raises HostError."""
    disabled = [f"io.containerd.{name}" for name in UNUSED]
    socket, log = run / "containerd.sock", run / "containerd.log"
    (run / "containerd.toml").write_text(
        f"version = 3\nroot = {json.dumps(str(root))}\nstate = {json.dumps(str(run / 'state'))}\n"
        f"disabled_plugins = {json.dumps(disabled)}\n[grpc]\naddress = {json.dumps(str(socket))}\n"
    )
    # It ends with this process, and the mounts of the layers with it.
    wrapped = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--", str(program)]
    with log.open("wb") as stream:
        command = [*wrapped, "--config", str(run / "containerd.toml")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise host.HostError(f"containerd did not start: {log.read_text()[-1000:]}")
            time.sleep(0.05)
        yield socket
    finally:
        process.terminate()
        process.wait()
