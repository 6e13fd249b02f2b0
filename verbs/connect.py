# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb connect: serves every service with a route under its own name on one port of this machine, until Ctrl-C."""

import argparse
import asyncio
import errno
import os
import signal
import sys
import tempfile
from pathlib import Path

from connect_cluster import Cluster
from connect_pipe import linger, pipe
from connect_text import LONGEST_HEAD, Refused, page, parse
from hosts import Fleet
from inventory import default, find
from reach import kubectl
from services import Service, names, password_command, read

# isort: split
# The imports above make the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.report.clusters import aligned
from ansible_collections.opendata.platform.plugins.module_utils.report.services import PORT


def main() -> int:
    """0 when it was ended by a signal."""
    parser = argparse.ArgumentParser(prog="odp connect", allow_abbrev=False)
    parser.add_argument("inventory", nargs="?", default=default())
    parser.add_argument("--port", type=int, default=PORT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="odp-connect-") as directory:
        return asyncio.run(Tunnel(given.inventory, given.port, Path(directory)).run())


class Tunnel:
    """One port, the services behind it, and the clusters that have them."""

    def __init__(self, inventory: str, port: int, directory: Path) -> None:
        self._inventory, self._port, self._directory = inventory, port, directory
        self._fleet = Fleet(find(inventory))
        self._clusters: dict[str, Cluster] = {}
        self._services: dict[str, Service] = {}
        self._loading = asyncio.Lock()
        self._tasks: set[asyncio.Task] = set()

    async def run(self) -> int:
        """Serve until a signal comes."""
        ended = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
        servers = [server for address in ("127.0.0.1", "::1") if (server := await self._listen(address))]
        try:
            silent = await self._load()
            for cluster, why in silent.items():
                print(f"odp: {cluster}: {why}", file=sys.stderr)
            if not self._services:
                print("odp: there is no service with a route.", file=sys.stderr)
                return 1
            for server in servers:
                await server.start_serving()
            print(self._welcome(), flush=True)
            await ended.wait()
            return 0
        finally:
            for server in servers:
                server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(cluster.close() for cluster in self._clusters.values()))

    async def _listen(self, address: str) -> asyncio.Server | None:
        """Take the port, not yet answering; none where there is no IPv6, and the end when another has it."""
        try:
            return await asyncio.start_server(
                self._handle, address, self._port, limit=LONGEST_HEAD, start_serving=False
            )
        except OSError as error:
            if address == "::1" and error.errno != errno.EADDRINUSE:
                return None
            why = os.strerror(error.errno) if error.errno else error
            step = f"`ss -ltnp 'sport = :{self._port}'` names the program; stop it, or take another port: --port 8081"
            sys.exit(f"odp: port {self._port} of {address} is not available: {why}. {step}")

    async def _load(self) -> dict[str, str]:
        """Read which services there are; return the reason for each cluster that does not answer."""
        found, silent = await asyncio.to_thread(read, self._fleet, self._fleet.hosts("clusters"))
        # What a cluster had that does not answer now is still known.
        found += [each for each in dict.fromkeys(self._services.values()) if each.cluster in silent]
        self._services = {name: each for each, known in names(found).items() for name in known}
        for cluster in {each.cluster for each in self._services.values()} - self._clusters.keys():
            socket = self._directory / f"{len(self._clusters)}.sock"
            self._clusters[cluster] = Cluster(kubectl(self._fleet, cluster, []), socket)
        return silent

    def _welcome(self) -> str:
        """A line for each service: where it is, and who may log in."""
        lines = [("url", "user", "password")]
        for service, known in names(list(dict.fromkeys(self._services.values()))).items():
            secret = password_command(service, self._inventory) if service.secret else "-"
            last = f"none: unavailable ({service.waiting})" if service.waiting else secret
            lines.append((f"http://{known[0]}:{self._port}", service.user or "-", last))
        also = f"Each is also at http://<service>.<cluster>.localhost:{self._port}. Press Ctrl-C to stop."
        return "\n".join([*aligned(lines), also])

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, or one WebSocket."""
        self._tasks.add(task := asyncio.current_task())
        try:
            await self._answer(reader, writer)
        except Refused as refusal:
            writer.write(page(refusal.status, str(refusal)))
            await linger(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            if not first.isalpha():
                # Such as the start of TLS, to which no page could be an answer.
                return
            head = parse(first + await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError as error:
            raise Refused(431, f"The head of the request is longer than {LONGEST_HEAD} bytes.") from error
        service = await self._find(head.host)
        try:
            if service.waiting:
                raise Refused(503, f"it is unavailable ({service.waiting})")
            pod = await self._clusters[service.cluster].connect(service)
            await pipe(head.forward, reader, writer, pod)
        except Refused as refusal:
            raise Refused(refusal.status, f"{service.name} of {service.cluster}: {refusal}") from refusal

    async def _find(self, host: str) -> Service:
        """The service of that name; an unknown one is looked up again, since a run may have added it."""
        if host not in self._services:
            async with self._loading:
                await self._load()
        if host not in self._services:
            known = "\n".join(f"  http://{name}:{self._port}" for name in self._services)
            raise Refused(404, f"there is no {host or 'service without a name'}. There are:\n{known}")
        return self._services[host]


if __name__ == "__main__":
    sys.exit(main())
