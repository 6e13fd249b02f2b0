# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Talk to one repository of an OCI registry."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any
from urllib.parse import quote, urljoin

import urllib3

from .artifact import MANIFEST, Artifact, Blob
from .errors import broken, refused
from .reference import Reference

_CONNECT_SECONDS = 5
_READ_SECONDS = 60


def trust(ca_path: str | None) -> ssl.SSLContext:
    """Return who is trusted: the CA in that file, or those of this machine. Raise ValueError for no such file."""
    try:
        return ssl.create_default_context(cafile=ca_path)
    except OSError as error:
        raise ValueError(f"ca_path {ca_path} cannot be used: {error}. Give a PEM file with certificates") from error


class Repository:
    """One repository, with the login for it; without TLS when nobody is trusted."""

    def __init__(self, reference: Reference, tls: ssl.SSLContext | None, username: str, password: str) -> None:
        self.address = f"{'https' if tls else 'http'}://{reference.registry}"
        self._tag, self._path = reference.tag, f"/v2/{reference.repository}"
        self._who = username
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._login = {"Authorization": f"Basic {login}"} if username else {}
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._pool = urllib3.PoolManager(ssl_context=tls, timeout=timeout, retries=False)

    def digest(self) -> str:
        """Return the digest under the tag; empty when there is none."""
        answer = self._ask("HEAD", f"{self._path}/manifests/{self._tag}", {"Accept": MANIFEST}, none=True)
        return answer.headers.get("Docker-Content-Digest", "") if answer else ""

    def push(self, artifact: Artifact) -> None:
        """Put what is missing of the artifact there; the tag last, so that a broken push leaves the old one."""
        for blob in artifact.blobs:
            if not self._ask("HEAD", f"{self._path}/blobs/{blob.digest}", none=True):
                self._upload(blob)
        self._ask(
            "PUT",
            f"{self._path}/manifests/{self._tag}",
            {"Content-Type": artifact.manifest.media_type},
            artifact.manifest.data,
        )

    def _upload(self, blob: Blob) -> None:
        place = self._ask("POST", f"{self._path}/blobs/uploads/").headers["Location"]
        place += f"{'&' if '?' in place else '?'}digest={quote(blob.digest)}"
        self._ask("PUT", place, {"Content-Type": "application/octet-stream"}, blob.data)

    def layer(self, media_type: str) -> bytes | None:
        """Return the first layer under the tag; None when it is of another type."""
        answer = self._ask("GET", f"{self._path}/manifests/{self._tag}", {"Accept": MANIFEST})
        first = json.loads(answer.data)["layers"][0]
        if first["mediaType"] != media_type:
            return None
        return bytes(self._ask("GET", f"{self._path}/blobs/{first['digest']}").data)

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        none: bool = False,
    ) -> Any:
        """Return the answer; None for 404 if that is one. Raise RegistryError for any other refusal."""
        url = urljoin(f"{self.address}/", path)
        # Where an upload goes is the registry's choice; the password goes to the registry alone.
        login = self._login if url.startswith(f"{self.address}/") else {}
        try:
            answer = self._pool.request(method, url, headers={**login, **(headers or {})}, body=body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise broken(self.address, error) from error
        if none and answer.status == 404:
            return None
        if answer.status >= 300:
            raise refused(self.address, f"{method} {path}", answer, self._who)
        return answer
