# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Download official releases and verify them by their published checksum."""

from __future__ import annotations

import hashlib
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

from .checksum import ChecksumError, published_checksum

TIMEOUT = 30


class DownloadError(Exception):
    """A release cannot be downloaded or verified; the message names artifact, URL and next step."""


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
    """Return the response to a request. Raises DownloadError."""
    try:
        request = urllib.request.Request(url, headers=headers or {}, method=method)
        return cast(HTTPResponse, urllib.request.urlopen(request, timeout=TIMEOUT))
    except urllib.error.HTTPError as error:
        raise DownloadError(
            f"{name}: {url} answers {error.code} {error.reason}. "
            "Check its version in artifacts_versions and its address in artifacts_releases."
        ) from error
    except OSError as error:
        raise DownloadError(f"{name}: {url} does not answer ({error}). Check the network, then run again.") from error


def fetch_file(
    name: str, release: dict[str, Any], target: Path, judge: Callable[[str], list[str]], stopped: Callable[[], bool]
) -> str:
    """Download one release file to ``target`` and return its published checksum.

    :param release: ``url`` of the file and ``checksum``, the URL of its published checksum.
    :param judge: returns findings about that checksum; called before the file is downloaded.
    :raises DownloadError: with the reason and the next step.
    """
    url, filename = release["url"], release["url"].rpartition("/")[2]
    with open_url(name, release["checksum"]) as answer:
        text = answer.read().decode("utf-8", "replace")
    try:
        expected = published_checksum(text, filename)
    except ChecksumError as error:
        raise DownloadError(f"{name}: {release['checksum']} cannot be used, {error}.") from error
    if findings := judge(expected):
        raise DownloadError(" ".join(findings))
    digest = hashlib.new(expected.partition(":")[0])
    size = 0
    with open_url(name, url) as answer, target.open("wb") as stream:
        promised = int(answer.headers.get("Content-Length") or -1)
        while block := _block(name, url, answer):
            if stopped():
                raise DownloadError(f"{name}: stopped.")
            digest.update(block)
            stream.write(block)
            size += len(block)
    if promised not in (-1, size):
        raise DownloadError(f"{name}: {url} ended after {size} of {promised} bytes. Run again.")
    if digest.hexdigest() != expected.partition(":")[2]:
        raise DownloadError(
            f"{name}: {url} has {digest.name}:{digest.hexdigest()}, but its release publishes {expected} "
            f"({release['checksum']}). The file was discarded. Run again; if it fails again, ask upstream."
        )
    return expected


def _block(name: str, url: str, answer: HTTPResponse) -> bytes:
    try:
        return answer.read(1 << 20)
    except (OSError, ValueError) as error:
        raise DownloadError(f"{name}: {url} was interrupted ({error}). Run again.") from error


def extract(name: str, url: str, archive: Path, member: str, target: Path) -> None:
    """Write a member of a tar archive to ``target``.

    :raises DownloadError: if the archive does not have the member.
    """
    try:
        with tarfile.open(archive) as tar:
            found = {info.name.removeprefix("./"): info for info in tar.getmembers() if info.isfile()}
            if member not in found:
                shown = ", ".join(sorted(found)[:10])
                raise DownloadError(
                    f"{name}: {url} has no member {member}; it has {shown}. Check the table of role artifacts."
                )
            with tar.extractfile(found[member]) as source, target.open("wb") as stream:  # type: ignore[union-attr]
                shutil.copyfileobj(source, stream)
    except (tarfile.TarError, EOFError) as error:
        raise DownloadError(f"{name}: {url} is not a tar archive ({error}).") from error
