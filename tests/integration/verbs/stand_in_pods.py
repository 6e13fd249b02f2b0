# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Stand-ins behind a real API server: a kubelet that forwards ports and has logs, and servers as its pods."""

import asyncio
import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from aiohttp import WSMsgType, web

from stand_in_kubelet import certificate


class Kubelet:
    """By pod the port of loopback behind it, and the text of its log, which does not end while it is followed."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.logs: dict[str, str] = {}

    async def forward(self, request: web.Request) -> web.WebSocketResponse:
        """Protocol v4.channel.k8s.io: channel 0 is data, channel 1 is the error, each greets with the port."""
        pod = request.match_info["pod"]
        web_socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"], max_msg_size=0)
        await web_socket.prepare(request)
        asked = int(request.query["port"]).to_bytes(2, "little")
        await web_socket.send_bytes(b"\0" + asked)
        await web_socket.send_bytes(b"\1" + asked)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.get(pod, 1))
        except OSError as error:
            await web_socket.send_bytes(b"\1" + f"error forwarding port to pod {pod}: {error.strerror}".encode())
            return web_socket
        sending = asyncio.create_task(_to_pod(web_socket, writer))
        try:
            while data := await reader.read(32 * 1024):
                await web_socket.send_bytes(b"\0" + data)
        except ConnectionError as error:
            await web_socket.send_bytes(b"\1" + f"error forwarding port to pod {pod}: {error.strerror}".encode())
        finally:
            sending.cancel()
            await web_socket.close()
        return web_socket

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The log of a container."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(self.logs[request.match_info["pod"]].encode())
        if request.query.get("follow"):
            await asyncio.Event().wait()
        return response


async def _to_pod(web_socket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
    async for message in web_socket:
        if message.type is WSMsgType.BINARY:
            writer.write(message.data[1:])
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def kubelet(directory: Path) -> Iterator[tuple[Kubelet, int]]:
    """Serve on a port of loopback until the block ends."""
    served, loop = Kubelet(), asyncio.new_event_loop()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(directory))
    app = web.Application()
    app.router.add_get("/portForward/{namespace}/{pod}", served.forward)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", served.log)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def serve() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        return runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield served, asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class _Pod(socketserver.StreamRequestHandler):
    """Answers with its name and what it was sent; paths ask for more."""

    def handle(self) -> None:
        head = b"\n"
        while b"\nConnection: close\r" not in head and head:
            head = b""
            while (line := self.rfile.readline()).strip():
                head += line
            if head:
                self.answer(head + line)

    def answer(self, head: bytes) -> None:
        """One answer; the connection stays open unless its end is asked for."""
        path = head.split(b" ")[1]
        if path == b"/socket":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
            while data := self.connection.recv(1024):
                self.wfile.write(data[::-1])
            self.server.closed.set()
        elif path == b"/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif path == b"/large":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for number in range(400):
                self.wfile.write(number.to_bytes(2, "big") * 50_000)
        else:
            size = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
            body = self.server.name.encode() + b" was sent " + head + self.rfile.read(size)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@contextlib.contextmanager
def pod(name: str) -> Iterator[socketserver.ThreadingTCPServer]:
    """A server on a port of loopback, as the process in a pod; `closed` is set when a WebSocket was ended."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Pod) as server:
        server.name, server.closed, server.daemon_threads = name, threading.Event(), True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
