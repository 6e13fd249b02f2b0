# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Stand-ins for Flux's controllers, for a kubelet's log and for an unreliable connection to the API server."""

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster

import api_server
from stand_in_kubelet import certificate

Object = dict[str, Any]


class Controllers:
    """A stand-in for Flux's controllers: writes the statuses that a test gives it."""

    def __init__(self, server: api_server.ApiServer) -> None:
        self.cluster = Cluster(str(server.kubeconfig))
        for namespace in ("flux-system", "postgres", "trino"):
            if not self.cluster.get(f"/api/v1/namespaces/{namespace}"):
                self.cluster.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        self._served = self.cluster.discover()
        self._threads: list[threading.Thread] = []
        self._made: list[str] = []

    def make(self, *items: Object) -> None:
        """Create objects with their statuses."""
        for item in items:
            path = self._served[item["apiVersion"], item["kind"]].path(item["metadata"].get("namespace", ""))
            bare = {key: value for key, value in item.items() if key != "status"}
            name = self.cluster.request("POST", path, body=bare)["metadata"]["name"]
            self._made.append(f"{path}/{name}")
            if item.get("status"):
                self.say(item)

    def say(self, *items: Object) -> None:
        """Write the statuses of objects."""
        for item in items:
            path = self._served[item["apiVersion"], item["kind"]].path(
                item["metadata"].get("namespace", ""), item["metadata"]["name"]
            )
            body, how = {"status": item["status"]}, "application/merge-patch+json"
            self.cluster.request("PATCH", f"{path}/status", body=body, content_type=how)

    def later(self, seconds: float, *steps: Callable[[], Any]) -> None:
        """Take the steps in a thread, each after so many seconds."""

        def take() -> None:
            for step in steps:
                time.sleep(seconds)
                step()

        self._threads.append(threading.Thread(target=take))
        self._threads[-1].start()

    def end(self) -> None:
        """Wait for the steps of `later`, and delete what was created."""
        for thread in self._threads:
            thread.join()
        for path in self._made:
            with contextlib.suppress(ApiError):
                self.cluster.request("DELETE", path, {"gracePeriodSeconds": 0})


@pytest.fixture
def controllers(server: api_server.ApiServer) -> Iterator[Controllers]:
    """A cluster with Flux's kinds and without their objects, and the stand-in for its controllers."""
    played = Controllers(server)
    yield played
    played.end()


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[int]:
    """The port of a stand-in for a kubelet that serves one log."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = f"{self.path}\nFATAL: no space left on device\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.socket = tls.wrap_socket(found.socket, server_side=True)
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found.server_address[1]
        found.shutdown()
        thread.join()


class Line:
    """A relay to the API server whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._port, self._ends = port, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.cuts = self._listener.getsockname()[1], 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections; new ones are accepted."""
        ends, self._ends = self._ends, []
        self.cuts += len(ends) // 2
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _address = self._listener.accept()
                other = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [one, other]
                for ends in ((one, other), (other, one)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(server: api_server.ApiServer, tmp_path: Path) -> Iterator[tuple[Line, Path]]:
    """A relay to the API server, and the kubeconfig that goes through it."""
    found = Line(server.port)
    text = server.kubeconfig.read_text().replace(f":{server.port}", f":{found.port}")
    (tmp_path / "kubeconfig").write_text(text)
    yield found, tmp_path / "kubeconfig"
    found.close()
