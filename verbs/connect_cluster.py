# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Connections to pods of one cluster, each a WebSocket of its own through the API server.

`kubectl proxy` logs in, as every kind of kubeconfig wants it. `kubectl port-forward` would not do: it stays with one
pod, and the first connection that its pod resets ends all others.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import aiohttp

from connect_text import Refused, endpoints, reasons
from services import Service

_PROTOCOL = "v4.channel.k8s.io"
_START_SECONDS = 15
_READ_SECONDS = 10


class Cluster:
    """One cluster, through a `kubectl proxy` that runs from the first use on and again when it was ended."""

    def __init__(self, command: list[str], socket: Path) -> None:
        only_read = "^(POST|PUT|PATCH|DELETE)$"
        self._command = [*command, "proxy", f"--unix-socket={socket}", f"--reject-methods={only_read}"]
        self._socket = socket
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._starting = asyncio.Lock()

    async def connect(self, service: Service) -> aiohttp.ClientWebSocketResponse:
        """A connection to a ready pod of the service, or Refused with the reason."""
        try:
            try:
                return await self._open(service, *(await self._pods(service))[0])
            except aiohttp.WSServerHandshakeError:
                # The pod is gone since it was named: look once more.
                return await self._open(service, *(await self._pods(service))[-1])
        except aiohttp.WSServerHandshakeError as error:
            raise Refused(502, f"its pod cannot be reached: HTTP {error.status}.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused(502, f"the cluster does not answer: {str(error) or 'not in time'}.") from error

    async def _pods(self, service: Service) -> list[tuple[str, int]]:
        place = f"namespaces/{service.namespace}"
        item, slices = await asyncio.gather(
            self._get(f"/api/v1/{place}/services/{service.service}"),
            self._list(
                f"/apis/discovery.k8s.io/v1/{place}/endpointslices", f"kubernetes.io/service-name={service.service}"
            ),
        )
        found = endpoints(item, slices, service.port) if item else []
        if not found:
            flux = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
            selector = ((item or {}).get("spec") or {}).get("selector") or {}
            labels = ",".join(f"{key}={value}" for key, value in selector.items())
            pods = await self._list(f"/api/v1/{place}/pods", labels) if labels else []
            raise Refused(503, f"not ready: {reasons(pods, await self._get(f'{flux}/{service.name}'))}")
        return found

    async def _open(self, service: Service, pod: str, port: int) -> aiohttp.ClientWebSocketResponse:
        session = await self._ready()
        path = f"/api/v1/namespaces/{service.namespace}/pods/{pod}/portforward?ports={port}"
        soon = aiohttp.ClientWSTimeout(ws_close=1)
        return await session.ws_connect(f"http://localhost{path}", protocols=[_PROTOCOL], max_msg_size=0, timeout=soon)

    async def _list(self, path: str, labels: str) -> list[dict[str, Any]]:
        return (await self._get(path, labelSelector=labels) or {}).get("items") or []

    async def _get(self, path: str, **query: str) -> dict[str, Any] | None:
        session = await self._ready()
        timeout = aiohttp.ClientTimeout(total=_READ_SECONDS)
        async with session.get(f"http://localhost{path}", params=query, timeout=timeout) as answer:
            if answer.status == 404:
                return None
            if answer.status >= 400:
                raise Refused(502, f"the cluster answers HTTP {answer.status}: {(await answer.text()).strip()}")
            return await answer.json(content_type=None)

    async def _ready(self) -> aiohttp.ClientSession:
        """The session, with a `kubectl proxy` that runs."""
        async with self._starting:
            if not self._process or self._process.returncode is not None:
                # A session of its own, so that Ctrl-C reaches us only and we end it.
                log = self._socket.with_suffix(".log")
                with log.open("wb") as errors:
                    self._process = await asyncio.create_subprocess_exec(
                        *self._command,
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=asyncio.subprocess.PIPE,
                        stderr=errors,
                        start_new_session=True,
                    )
                if not await asyncio.wait_for(self._process.stdout.readline(), _START_SECONDS):
                    raise Refused(502, f"kubectl proxy does not start: {log.read_text(errors='replace').strip()}")
            if not self._session:
                self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._socket), limit=0))
        return self._session

    async def close(self) -> None:
        """End what was started."""
        if self._session:
            await self._session.close()
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
