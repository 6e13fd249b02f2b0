# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run a command in a pod's container, as `kubectl exec` does.

The API server forwards the request to the kubelet over a WebSocket; each message starts with the number of its channel.
`kubernetes.stream` does the same, but replaces `ApiClient.call_api` during a call, so that threads, which ask all pods
at once here, cannot share a client, and its import takes longer than all requests of a task.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

from .client import connect

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import urllib3

# The fifth version only adds how to end an input, and there is none here.
_PROTOCOL = "v4.channel.k8s.io"
_STDOUT, _STDERR, _STATUS = 1, 2, 3


class ExecError(Exception):
    """The command did not run to its end; the text says why."""


class Answer(NamedTuple):
    """What a command wrote, and its exit status."""

    stdout: str
    stderr: str
    code: int


class Pods:
    """Runs commands in the pods of one cluster."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        """Raise ValueError or OSError when the kubeconfig cannot be used."""
        self._server, self._pool, self._headers = connect(kubeconfig, context)

    def run(self, namespace: str, pod: str, container: str, command: list[str], seconds: int = 30) -> Answer:
        """Return what the command says; raise ExecError when it cannot run or is silent for so many seconds."""
        try:
            import websocket
        except ImportError as error:
            raise ExecError(f"running commands in pods needs the Python package websocket-client ({error})") from error
        query = urlencode({"container": container, "stdout": "1", "stderr": "1", "command": command}, doseq=True)
        address = f"{self._server}/api/v1/namespaces/{namespace}/pods/{pod}/exec?{query}"
        web: Any = websocket.WebSocket()  # without type hints
        try:
            web.connect(
                address.replace("http", "ws", 1),
                socket=self._socket(seconds),
                header=self._headers,
                subprotocols=[_PROTOCOL],
                suppress_origin=True,
            )
            return _answer(_channels(web))
        except websocket.WebSocketBadStatusException as error:
            raise ExecError(f"pod {pod}: {_message(error.resp_body) or f'HTTP {error.status_code}'}") from error
        except websocket.WebSocketException as error:
            raise ExecError(f"pod {pod}: {error}") from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ExecError(f"pod {pod}: {self._server} does not answer: {error}") from error
        except ExecError as error:
            raise ExecError(f"pod {pod}: {error}") from error
        finally:
            web.shutdown()

    def _socket(self, seconds: int) -> Any:
        """Return a connection made as all others of the kubeconfig are, with its TLS, proxy and certificates."""
        pool = self._pool.connection_from_url(self._server)
        connection: Any = pool._new_conn()
        connection.timeout = seconds
        if pool.proxy:
            pool._prepare_proxy(connection)
        else:
            connection.connect()
        connection.sock.settimeout(seconds)
        return connection.sock


def _channels(web: Any) -> dict[int, bytes]:
    """Return what came over each channel until the other side closed."""
    from websocket import ABNF, WebSocketConnectionClosedException

    channels: dict[int, bytes] = {}
    try:
        while True:
            kind, data = web.recv_data()
            if kind == ABNF.OPCODE_CLOSE:
                return channels
            if data:
                channels[data[0]] = channels.get(data[0], b"") + data[1:]
    except WebSocketConnectionClosedException:
        return channels


def _answer(channels: dict[int, bytes]) -> Answer:
    """Return what was said; raise ExecError when the command did not end by itself."""
    try:
        status = json.loads(channels.get(_STATUS, b""))
    except ValueError:
        raise ExecError("the connection ended before the command did") from None
    causes = {each["reason"]: each["message"] for each in (status.get("details") or {}).get("causes") or []}
    if status["status"] != "Success" and "ExitCode" not in causes:
        raise ExecError(status.get("message") or "the command could not be run")
    texts = [channels.get(channel, b"").decode(errors="replace") for channel in (_STDOUT, _STDERR)]
    return Answer(texts[0], texts[1], int(causes.get("ExitCode", 0)))


def _message(body: bytes | None) -> str:
    """Return the API server's own words for a refusal."""
    try:
        return str(json.loads(body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        return (body or b"").decode(errors="replace").strip()
