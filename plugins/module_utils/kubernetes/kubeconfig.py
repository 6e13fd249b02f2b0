# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make of a kubeconfig a pool of connections to its API server.

Certificates and tokens are read here; the package ``kubernetes`` does the rest (exec plugins, proxies) and is only
imported then, because its import costs more than all that a task does in a cluster where nothing changes.
"""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import urllib3
    import yaml

_SPECIAL = ("exec", "auth-provider", "username", "proxy-url")
CONNECTIONS = 16  # that many requests are under way at a time


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
        raise ValueError(f"it is no complete kubeconfig ({type(error).__name__}: {error})") from error
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
        raise ValueError(f"its way to log in needs the Python package kubernetes ({error})") from error
    try:
        new_client: Any = config.new_client_from_config  # without type hints
        api = new_client(config_file=path, context=context)
    except ConfigException as error:
        raise ValueError(str(error)) from error
    pool, headers = api.rest_client.pool_manager, dict[str, str]()
    pool.connection_pool_kw["maxsize"] = CONNECTIONS
    api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
    return Connection(api.configuration.host, pool, headers)
