# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Download official releases and verify them by their published checksum."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

from .build.jobs import JobError

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

TIMEOUT = 30
ALGORITHMS = {64: "sha256", 128: "sha512"}
HEX = re.compile(r"^[0-9a-f]+$")


def answering(addresses: Iterable[str], seconds: float = 3.0) -> dict[str, bool]:
    """Return which addresses answer HTTP in time; all are requested at once."""
    found = dict.fromkeys(addresses, False)

    def ask(address: str) -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds):
                found[address] = True
        except urllib.error.HTTPError:
            found[address] = True
        except (OSError, ValueError):
            return

    threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in found]
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    return dict(found)


def open_url(name: str, url: str, headers: dict[str, str] | None = None, method: str = "GET") -> HTTPResponse:
    """Return the response to a request. Raises JobError."""
    try:
        request = urllib.request.Request(url, headers=headers or {}, method=method)
        return cast(HTTPResponse, urllib.request.urlopen(request, timeout=TIMEOUT))
    except urllib.error.HTTPError as error:
        raise JobError(
            f"{name}: {url} answers {error.code} {error.reason}. "
            "Check its version in artifacts_versions and its address in artifacts_releases."
        ) from error
    except OSError as error:
        raise JobError(f"{name}: {url} does not answer ({error}). Check the network, then run again.") from error


def published_checksum(text: str, filename: str) -> str:
    """Return ``sha256:<hex>`` or ``sha512:<hex>`` of a file, as its release publishes it.

    The text is a digest, lines of ``sha256sum`` (also with ``*`` or a path before the name), the index of a Helm
    repository or a release of the GitHub API.

    :raises ValueError: if the file is not listed, or listed with two digests.
    """
    if text.lstrip().startswith("{"):
        found = _from_release(text, filename)
    elif text.lstrip().startswith(("apiVersion:", "entries:")):
        found = _from_index(text, filename)
    else:
        found = _from_lines(text, filename)
    if len(found) != 1:
        shown = ", ".join(sorted(found)) if found else text.strip()[:120] or "nothing"
        raise ValueError(f"it does not have exactly one checksum of {filename}: {shown}")
    return found.pop()


def _tagged(value: str) -> str:
    """Return a digest with its algorithm as a prefix, "" if it is none."""
    digest = value.strip().lower().rpartition(":")[2]
    return f"{ALGORITHMS[len(digest)]}:{digest}" if len(digest) in ALGORITHMS and HEX.match(digest) else ""


def _from_lines(text: str, filename: str) -> set[str]:
    """Return the digests of a file in lines of ``digest  name``, or the only digest."""
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return {_tagged(lines[0][0])} - {""}
    named = [pair for pair in lines if len(pair) == 2]
    return {_tagged(digest) for digest, name in named if name.strip().lstrip("*").rpartition("/")[2] == filename} - {""}


def _from_release(text: str, filename: str) -> set[str]:
    """Return the digests of a file among the assets of a GitHub release."""
    try:
        assets = json.loads(text).get("assets", [])
    except (ValueError, AttributeError) as error:
        raise ValueError(f"not a release in JSON: {error}") from error
    return {_tagged(str(asset.get("digest") or "")) for asset in assets if asset.get("name") == filename} - {""}


def _from_index(text: str, filename: str) -> set[str]:
    """Return the digests of a chart's archive in a Helm repository's index."""
    try:
        entries = (yaml.safe_load(text) or {}).get("entries", {})
    except yaml.YAMLError as error:
        raise ValueError(f"not an index in YAML: {error}") from error
    releases = [release for chart in entries.values() for release in chart]
    return {
        _tagged(str(release.get("digest") or ""))
        for release in releases
        if any(url.rpartition("/")[2] == filename for url in release.get("urls", []))
    } - {""}


def release_checksum(name: str, release: dict[str, Any]) -> str:
    """Return the published checksum of a release file.

    :param release: ``url`` of the file and ``checksum``, the URL of its published checksum.
    :raises JobError: with the reason and the next step.
    """
    with open_url(name, release["checksum"]) as answer:
        text = answer.read().decode("utf-8", "replace")
    try:
        return published_checksum(text, release["url"].rpartition("/")[2])
    except ValueError as error:
        raise JobError(f"{name}: {release['checksum']} cannot be used, {error}.") from error


def fetch_file(name: str, release: dict[str, Any], expected: str, target: Path, stopped: Callable[[], bool]) -> None:
    """Download one release file to ``target`` and verify it by its published checksum.

    :raises JobError: with the reason and the next step.
    """
    url = release["url"]
    digest = hashlib.new(expected.partition(":")[0])
    size = 0
    with open_url(name, url) as answer, target.open("wb") as stream:
        promised = int(answer.headers.get("Content-Length") or -1)
        while block := _block(name, url, answer):
            if stopped():
                raise JobError(f"{name}: stopped.")
            digest.update(block)
            stream.write(block)
            size += len(block)
    if promised not in (-1, size):
        raise JobError(f"{name}: {url} ended after {size} of {promised} bytes. Run again.")
    if digest.hexdigest() != expected.partition(":")[2]:
        raise JobError(
            f"{name}: {url} has {digest.name}:{digest.hexdigest()}, but its release publishes {expected} "
            f"({release['checksum']}). The file was discarded. Run again; if it fails again, ask upstream."
        )


def _block(name: str, url: str, answer: HTTPResponse) -> bytes:
    try:
        return answer.read(1 << 20)
    except (OSError, ValueError) as error:
        raise JobError(f"{name}: {url} was interrupted ({error}). Run again.") from error


def extract(name: str, url: str, archive: Path, member: str, target: Path) -> None:
    """Write a member of a tar archive to ``target``.

    :raises JobError: if the archive does not have the member.
    """
    try:
        with tarfile.open(archive) as tar:
            found = {info.name.removeprefix("./"): info for info in tar.getmembers() if info.isfile()}
            if member not in found:
                shown = ", ".join(sorted(found)[:10])
                raise JobError(
                    f"{name}: {url} has no member {member}; it has {shown}. Check the table of role artifacts."
                )
            with tar.extractfile(found[member]) as source, target.open("wb") as stream:  # type: ignore[union-attr]
                shutil.copyfileobj(source, stream)
    except (tarfile.TarError, EOFError) as error:
        raise JobError(f"{name}: {url} is not a tar archive ({error}).") from error
