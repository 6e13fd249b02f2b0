# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Digests of images in a registry and in its storage, and a temporary registry for pushes."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .build.jobs import JobError
from .download import open_url

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def image_digest(image: str, base: str) -> str:
    """Return the digest of an image's tag from its registry.

    :param base: URL of the registry, for example https://registry.k8s.io.
    """
    repository, _colon, tag = image.partition("/")[2].rpartition(":")
    url = f"{base}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        answer = open_url(image, url, headers, "HEAD")
    except JobError as error:
        cause = error.__cause__
        if not isinstance(cause, urllib.error.HTTPError) or cause.code != 401:
            raise
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', cause.headers.get("WWW-Authenticate", "")))
        if "realm" not in challenge:
            raise
        query = f"service={challenge.get('service', '')}&scope=repository:{repository}:pull"
        with open_url(image, f"{challenge['realm']}?{query}") as token:
            given = json.load(token)
        headers["Authorization"] = f"Bearer {given.get('token') or given.get('access_token')}"
        answer = open_url(image, url, headers, "HEAD")
    with answer:
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise JobError(f"{image}: {url} returns no digest (Docker-Content-Digest is '{digest}').")
    return digest


def stored_digest(storage: Path, image: str) -> str:
    """Return the digest of an image's tag in a registry's storage, "" if the image or a layer is missing."""
    repository, _colon, tag = image.rpartition(":")
    base = storage / "docker/registry/v2"
    try:
        digest = (base / "repositories" / repository / "_manifests/tags" / tag / "current/link").read_text().strip()
        manifest = json.loads(_blob(base, digest).read_text())
        parts = [manifest["config"], *manifest["layers"]]
        whole = all(_blob(base, part["digest"]).stat().st_size == part["size"] for part in parts)
    except (OSError, ValueError, KeyError):
        return ""
    return digest if whole else ""


def _blob(base: Path, digest: str) -> Path:
    algorithm, _colon, value = digest.partition(":")
    return base / "blobs" / algorithm / value[:2] / value / "data"


@contextlib.contextmanager
def push_registry(binary: str, storage: Path, log: Path) -> Iterator[str]:
    """Run a registry on a free port of 127.0.0.1 while images are pushed, and yield its address (host and port).

    :raises OSError: if it does not answer.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    storage.mkdir(parents=True, exist_ok=True)
    config = log.with_suffix(".yml")
    config.write_text(json.dumps(registry_config(str(storage), address)))
    with log.open("wb") as stream:
        command = ["setpriv", "--pdeathsig", "KILL", "--", binary, "serve", str(config)]
        process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
    try:
        if not any(_answers(process, address) for _attempt in range(100)):
            raise OSError(f"the registry for pushes did not start; see {log}")
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    """Return whether a registry answers; otherwise wait a moment, unless it has ended."""
    if process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def registry_config(storage: str, address: str, read_only: bool = False) -> dict[str, Any]:
    """Return the configuration of a registry with a storage."""
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": storage}, "maintenance": {"readonly": {"enabled": read_only}}},
        "http": {"addr": address},
    }
