# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Talk to one Kubernetes API server: connect as a kubeconfig says, requests, discovery, waiting by watch.

Certificates and tokens are read here; the package ``kubernetes`` does the rest (exec plugins, proxies) and is only
imported then, because its import costs more than all that a task does in a cluster where nothing changes.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import email.utils
import json
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from .manifests import Manifest, Resource

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import urllib3
    import yaml

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_METADATA = "application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList"
_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_SPECIAL = ("exec", "auth-provider", "username", "proxy-url")
CONNECTIONS = 16  # that many requests are under way at a time


class Unreachable(Exception):
    """The API server gives no answer; the text says why."""


class ApiError(Exception):
    """The API server refused a request; status is its HTTP code, causes the details it gave."""

    def __init__(self, code: int, answer: dict[str, Any], what: str) -> None:
        super().__init__(f"{what}: {answer.get('message') or answer.get('reason') or code}")
        self.status = code
        self.reason = str(answer.get("reason", ""))
        self.causes: list[dict[str, str]] = (answer.get("details") or {}).get("causes") or []


class Cluster:
    """One API server, reached as its kubeconfig says."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        """Raise Unreachable when the kubeconfig cannot be used."""
        try:
            self.host, self._pool, self._who = connect(kubeconfig, context)
        except (ValueError, OSError) as error:
            raise Unreachable(f"kubeconfig {kubeconfig} cannot be used: {error}") from error
        self.warnings: list[str] = []
        # The server's clock at its last answer; before that, ours.
        self.now = datetime.datetime.now(datetime.UTC)

    def _send(
        self, method: str, path: str, query: dict[str, Any], body: Any, headers: dict[str, str], stream_seconds: int = 0
    ) -> Any:
        try:
            return self._pool.request(
                method,
                f"{self.host}{path}?{urlencode(query)}",
                body=json.dumps(body) if body is not None else None,
                headers={**self._who, **headers},
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS + stream_seconds),
                retries=False,
                preload_content=not stream_seconds,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self.host} does not answer: {error}") from error

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Manifest | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Return the JSON answer. Raise ApiError when it is refused, Unreachable when there is none."""
        headers = {"Accept": accept, "Content-Type": content_type}
        response = self._send(method, path, query or {}, body, headers)
        if date := response.headers.get("Date"):
            self.now = email.utils.parsedate_to_datetime(date)
        try:
            answer: dict[str, Any] = json.loads(response.data or b"{}")
        except ValueError:
            answer = {"message": response.data.decode(errors="replace").strip()}
        if response.status >= 400:
            raise ApiError(response.status, answer, f"{method} {path}")
        self.warnings += [text.split('"')[1] for text in response.headers.getlist("Warning") if text.count('"') > 1]
        return answer

    def get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the object, None if there is none of that name (or its kind or namespace is unknown)."""
        try:
            return self.request("GET", path, query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def uid(self) -> str:
        """Return what tells this cluster from any other, also from one that was recreated: the UID of kube-system."""
        return str(self.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def names(self, path: str, selector: str) -> list[dict[str, Any]]:
        """Return the metadata of what a list holds, without the content."""
        listing = self.request("GET", path, {"labelSelector": selector}, accept=_METADATA)
        return [item["metadata"] for item in listing["items"] or []]

    def logs(self, path: str, **query: Any) -> str:
        """Return the text of a pod's log, or why there is none."""
        response = self._send("GET", path, query, None, {"Accept": "*/*"})
        return str(response.data.decode(errors="replace"))

    def discover(self) -> dict[tuple[str, str], Resource]:
        """Return where each kind is served, by (apiVersion, kind); two requests, at the same time."""
        found: dict[tuple[str, str], Resource] = {}
        roots = ("/api", "/apis")
        with ThreadPoolExecutor(len(roots)) as pool:
            answers = list(pool.map(lambda root: self.request("GET", root, accept=_DISCOVERY), roots))
        for root, answer in zip(roots, answers, strict=True):
            for group in answer.get("items", []):
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    api = f"{name}/{version['version']}" if name else version["version"]
                    for each in version.get("resources") or []:
                        resource = Resource(f"{root[1:]}/{api}", each["resource"], each["scope"] == "Namespaced")
                        found[api, each["responseKind"]["kind"]] = resource
        return found

    def wait(
        self, path: str, ready: Callable[[list[Manifest]], bool], seconds: float, **query: Any
    ) -> tuple[bool, list[Manifest]]:
        """Watch a list until it is as wanted or the time is over; return which, and the list as it was then."""
        deadline = time.monotonic() + seconds
        while True:
            listing = self.request("GET", path, query)
            objects = {item["metadata"]["uid"]: item for item in listing["items"]}
            changes = self._watch(path, {**query, "resourceVersion": listing["metadata"]["resourceVersion"]}, deadline)
            while not ready(list(objects.values())):
                event = next(changes, None)
                if event is None or event["type"] == "ERROR":
                    break
                item = event["object"]
                objects.pop(item["metadata"]["uid"], None)
                if event["type"] != "DELETED":
                    objects[item["metadata"]["uid"]] = item
            else:
                return True, list(objects.values())
            if deadline - time.monotonic() < 1:
                return False, list(objects.values())

    def _watch(self, path: str, query: dict[str, Any], deadline: float) -> Iterator[dict[str, Any]]:
        """Yield changes until the deadline; end earlier when the server closes the watch."""
        left = int(deadline - time.monotonic())
        if left < 1:
            return
        query = {**query, "watch": "1", "timeoutSeconds": left}
        response = self._send("GET", path, query, None, {"Accept": "application/json"}, stream_seconds=left)
        rest = b""
        if response.status >= 400:
            raise ApiError(response.status, {"message": response.data.decode(errors="replace")}, f"WATCH {path}")
        try:
            for chunk in response.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.host} does not answer any more: {error}") from error
        finally:
            response.release_conn()


class Connection(NamedTuple):
    """Address of an API server (https://host:port), connections to it, and the headers that say who asks."""

    server: str
    pool: urllib3.PoolManager
    headers: dict[str, str]


def connect(path: str, context: str | None) -> Connection:
    """Return the connection of a context; of the current one for None. Raise ValueError or OSError with the reason."""
    try:
        config = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        chosen = _named(config, "contexts", context or config["current-context"])["context"]
        cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
        user = _named(config, "users", chosen["user"])["user"] or {}
        server = cluster["server"].rstrip("/")
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"it is not a complete kubeconfig ({type(error).__name__}: {error})") from error
    if any({**cluster, **user}.get(key) for key in _SPECIAL) or os.environ.get("HTTPS_PROXY"):
        return _by_package(path, context)
    tls = ssl.create_default_context(
        cafile=_beside(path, cluster.get("certificate-authority")),
        cadata=_decoded(cluster, "certificate-authority-data"),
    )
    # Certificates that kubectl accepts are good enough here: Go does not ask for every extension either.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # urllib3 sets this at each connection, which corrupts those that other threads open just then (cpython#141012).
    tls.set_alpn_protocols(["http/1.1"])
    setattr(tls, "set_alpn_protocols", lambda _protocols: None)  # noqa: B010 - mypy knows it as a method
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    _load_client_certificate(tls, path, user)
    token = user.get("token") or (
        Path(_beside(path, user["tokenFile"]) or "").read_text() if "tokenFile" in user else ""
    )
    pool = urllib3.PoolManager(maxsize=CONNECTIONS, ssl_context=tls, server_hostname=cluster.get("tls-server-name"))
    return Connection(server, pool, {"Authorization": f"Bearer {token.strip()}"} if token else {})


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in config.get(kind) or []:
        if entry["name"] == name:
            return dict(entry)
    raise ValueError(f"it has no {name} under {kind}")


def _beside(path: str, name: str | None) -> str | None:
    """A path in a kubeconfig starts at the kubeconfig's directory."""
    return str(Path(path).parent / name) if name else None


def _decoded(entry: dict[str, Any], key: str) -> str | None:
    return base64.b64decode(entry[key]).decode() if entry.get(key) else None


def _load_client_certificate(tls: ssl.SSLContext, path: str, user: dict[str, Any]) -> None:
    certificate, key = _decoded(user, "client-certificate-data"), _decoded(user, "client-key-data")
    if certificate and key:
        # The ssl module reads files only; this one is 0600 and gone at once.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
            both.write(f"{certificate}\n{key}")
            both.flush()
            tls.load_cert_chain(both.name)
    elif user.get("client-certificate"):
        tls.load_cert_chain(_beside(path, user["client-certificate"]) or "", _beside(path, user.get("client-key")))


def _by_package(path: str, context: str | None) -> Connection:
    """Leave it to the package ``kubernetes``."""
    try:
        from kubernetes import config
        from kubernetes.config.config_exception import ConfigException
    except ImportError as error:
        raise ValueError(f"its authentication method requires the Python package kubernetes ({error})") from error
    try:
        new_client: Any = config.new_client_from_config  # without type hints
        api = new_client(config_file=path, context=context)
    except ConfigException as error:
        raise ValueError(str(error)) from error
    pool, headers = api.rest_client.pool_manager, dict[str, str]()
    pool.connection_pool_kw["maxsize"] = CONNECTIONS
    api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
    return Connection(api.configuration.host, pool, headers)
