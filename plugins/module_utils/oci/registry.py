# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Client of one repository of an OCI registry."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
from typing import Any
from urllib.parse import quote, urljoin

from .artifact import MANIFEST, Artifact, Blob, Reference

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import urllib3

_CONNECT_SECONDS = 5
_READ_SECONDS = 60


class RegistryError(Exception):
    """The registry refused a request; the text has the reason and the next step."""


class Unreachable(RegistryError):
    """The registry does not answer."""


def trust(ca_path: str | None) -> ssl.SSLContext:
    """Return the trusted CAs: that in the file, or those of this machine. Raise ValueError if it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca_path)
    except OSError as error:
        raise ValueError(f"ca_path {ca_path} cannot be used: {error}. Give a PEM file with certificates") from error


class Repository:
    """One repository and its credentials; plain HTTP without `tls`."""

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
        """Upload what the registry lacks; the tag last, so that an interrupted push leaves the previous artifact."""
        for blob in artifact.blobs:
            if not self._ask("HEAD", f"{self._path}/blobs/{blob.digest}", none=True):
                self._upload(blob)
        media_type, data = artifact.manifest
        self._ask("PUT", f"{self._path}/manifests/{self._tag}", {"Content-Type": media_type}, data)

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
        """Return the answer; None for 404 if `none` is set. Raise RegistryError for any other failure."""
        url = urljoin(f"{self.address}/", path)
        # The registry chooses where an upload goes; the password is sent to the registry only.
        login = self._login if url.startswith(f"{self.address}/") else {}
        try:
            answer = self._pool.request(method, url, headers={**login, **(headers or {})}, body=body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _broken(self.address, error) from error
        if none and answer.status == 404:
            return None
        if answer.status >= 300:
            raise _refused(self.address, f"{method} {path}", answer, self._who)
        return answer


def _broken(address: str, error: Exception) -> RegistryError:
    """Return the error for a request that got no answer."""
    if not isinstance(error, urllib3.exceptions.SSLError):
        return Unreachable(f"{address} does not answer ({error}). Start the registry or correct reference.")
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = getattr(error.args[0], "verify_message", "") or text
        step = "Set ca_path to the certificate of its CA."
        return RegistryError(f"{address} has a certificate that is not trusted: {reason}. {step}")
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return RegistryError(f"{address} does not speak TLS. If plain HTTP is meant, set insecure: true.")
    return RegistryError(f"{address} ended the TLS handshake: {text}. Check the registry's log.")


def _refused(address: str, request: str, answer: Any, username: str) -> RegistryError:
    """Return the error for an unsuccessful answer."""
    who = f"username '{username}'" if username else "a request without login"
    text = f"{address} answers {answer.status} {answer.reason or ''}".rstrip() + f" to {request}"
    if detail := _detail(answer.data):
        text += f" ({detail})"
    challenge = answer.headers.get("WWW-Authenticate", "")
    if answer.status == 401 and challenge.lower().startswith("bearer"):
        step = "it requires a bearer token, which is not supported: use a registry with basic authentication"
    elif answer.status == 401:
        step = f"{who} is not authorized. {'Correct' if username else 'Set'} username and password"
    elif answer.status == 403:
        step = f"{who} is not allowed to do this. Grant it the right to push to this repository"
    elif answer.status == 404:
        step = "this is not a registry, or the repository does not exist. Correct reference, or create the repository"
    elif answer.status == 405:
        step = "this address is read-only. Use the registry's address for pushes"
    elif answer.status == 400 and address.startswith("http:"):
        step = "if it speaks TLS, remove insecure: true"
    else:
        step = "check the registry's log"
    return RegistryError(f"{text}: {step}.")


def _detail(body: bytes) -> str:
    """Return the registry's own error messages, in the form of the distribution specification."""
    try:
        return "; ".join(each["message"] for each in json.loads(body)["errors"] if each.get("message"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
