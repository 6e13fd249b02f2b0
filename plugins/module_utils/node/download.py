# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Download the binaries of a node, each archive once."""

from __future__ import annotations

import hashlib
import http.client
import os
import shlex
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from typing import BinaryIO, cast

from ..files import atomic_stream
from .file_io import CHUNK, NodeFileError
from .files import File

# Written by role node if the fleet has a proxy.
PROXY_FILE = "/etc/opendata/proxy.env"
TIMEOUT_SECONDS = 60
ATTEMPTS = 3


def install(url: str, files: list[File], folder: str) -> None:
    """Download a file or an archive once and install the files that come from it.

    :param files: entries of node_files with this ``url``.
    :param folder: directory for the download.
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
        raise NodeFileError(f"{names}: cannot be written: {error.strerror}. Fix the cause, then run again.") from error


def fetch(url: str, target: BinaryIO) -> None:
    """Download to ``target``; try again if the network fails."""
    use_proxy()
    for _ in range(1, ATTEMPTS + 1):
        target.seek(0)
        target.truncate()
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                length = answer.headers.get("Content-Length")
                shutil.copyfileobj(answer, target, CHUNK)
            if length is None or target.tell() == int(length):
                return
            reason = f"received {target.tell()} of {length} bytes"
        except urllib.error.HTTPError as error:
            raise NodeFileError(f"{url}: the server answers {error.code} {error.reason}. Check the mirror.") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error))
    raise NodeFileError(f"{url}: {ATTEMPTS} downloads failed: {reason}. Run again when the server can be reached.")


def use_proxy() -> None:
    """Set the proxy of the fleet in the environment, where urllib reads it."""
    if os.path.exists(PROXY_FILE):
        with open(PROXY_FILE, encoding="utf-8") as lines:
            os.environ.update(dict(word.split("=", 1) for word in shlex.split(lines.read())))


def member(download: BinaryIO, file: File) -> BinaryIO:
    """The content of a file: the download itself, or the file's member of an archive."""
    download.seek(0)
    if not file["member"]:
        return download
    try:
        archive = tarfile.open(fileobj=download, mode="r:*")  # noqa: SIM115 - the stream below reads from it
        stream = archive.extractfile(file["member"])
    except (tarfile.TarError, KeyError) as error:
        raise NodeFileError(f"{file['url']} has no member {file['member']}: {error}.") from error
    if stream is None:
        raise NodeFileError(f"{file['url']}: the member {file['member']} is not a file.")
    return cast(BinaryIO, stream)


def copy_checked(source: BinaryIO, target: BinaryIO, file: File) -> None:
    """Copy and verify the digest."""
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    if (found := digest.hexdigest()) != file["sha256"].lower():
        raise NodeFileError(
            f"{file['path']}: {file['url']} has sha256 {found}, expected {file['sha256']}. "
            "The file was not changed; check the mirror."
        )
