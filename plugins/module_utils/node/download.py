# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Download the binaries of a node, each archive once."""

from __future__ import annotations

import hashlib
import http.client
import os
import shlex
import tarfile
import tempfile
import urllib.error
import urllib.request
from typing import BinaryIO

from ..files import atomic_stream
from .file_io import CHUNK, NodeFileError

# What role node wrote of the fleet's proxy, if it has one.
PROXY_FILE = "/etc/opendata/proxy.env"
TIMEOUT_SECONDS = 60
ATTEMPTS = 3


def install(url: str, files: list[dict], folder: str) -> None:
    """Download once and make the files that come from it.

    :param url: where the file or the archive is.
    :param files: entries of node_files with this ``url``.
    :param folder: where the download may lie for a moment.
    :raises NodeFileError: with the URL or path, the reason and what was expected.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as download:
            fetch(url, download)
            for file in files:
                os.makedirs(os.path.dirname(file["path"]), mode=0o755, exist_ok=True)
                with atomic_stream(file["path"], int(file["mode"], 8)) as stream:
                    copy_checked(member(download, file), stream, file)
    except OSError as error:
        names = ", ".join(file["path"] for file in files)
        raise NodeFileError(f"{names}: cannot be written: {error.strerror}. Fix that, then run again.") from error


def fetch(url: str, target: BinaryIO) -> None:
    """Download to ``target``, with a few attempts while the network fails."""
    use_proxy()
    for _ in range(1, ATTEMPTS + 1):
        target.seek(0)
        target.truncate()
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                length = answer.headers.get("Content-Length")
                copy(answer, target)
            if length is None or target.tell() == int(length):
                return
            reason = f"{target.tell()} of {length} bytes came"
        except urllib.error.HTTPError as error:
            raise NodeFileError(f"{url}: the server says {error.code} {error.reason}. Check the mirror.") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
    raise NodeFileError(f"{url}: {ATTEMPTS} downloads failed: {reason}. Run again when it can be reached.")


def use_proxy() -> None:
    """Let urllib see the proxy in its environment."""
    if os.path.exists(PROXY_FILE):
        with open(PROXY_FILE, encoding="utf-8") as lines:
            os.environ.update(word.split("=", 1) for word in shlex.split(lines.read()))


def copy(source: BinaryIO, target: BinaryIO) -> str:
    """Copy all bytes and return their sha256."""
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def member(download: BinaryIO, file: dict) -> BinaryIO:
    """The bytes of one file: the download itself, or a member of it if it is an archive."""
    download.seek(0)
    if not file["member"]:
        return download
    try:
        archive = tarfile.open(fileobj=download, mode="r:*")  # noqa: SIM115 the stream below reads from it
        stream = archive.extractfile(file["member"])
    except (tarfile.TarError, KeyError) as error:
        raise NodeFileError(f"{file['url']}: no member {file['member']} in it: {error}.") from error
    if stream is None:
        raise NodeFileError(f"{file['url']}: the member {file['member']} is not a file.")
    return stream  # type: ignore[return-value]


def copy_checked(source: BinaryIO, target: BinaryIO, file: dict) -> None:
    """Copy and insist on the digest."""
    found = copy(source, target)
    if found != file["sha256"].lower():
        raise NodeFileError(
            f"{file['path']}: {file['url']} gave sha256 {found}, expected {file['sha256']}. "
            "Nothing was changed at the path; check the mirror."
        )
