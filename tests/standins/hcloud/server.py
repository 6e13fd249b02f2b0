# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A stand-in for the API of Hetzner Cloud: HTTP around the state in world.py, with faults on demand."""

import copy
import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standins.hcloud import offer
from standins.hcloud.world import Object, Refusal, World

TOKEN = "stand-in-" + "t" * 55
CREATE = {
    "networks": World.create_network,
    "firewalls": World.create_firewall,
    "placement_groups": World.create_placement_group,
    "ssh_keys": World.create_ssh_key,
    "servers": World.create_server,
    "load_balancers": World.create_load_balancer,
}
ACT = {
    ("networks", "add_subnet"): World.add_subnet,
    ("firewalls", "set_rules"): World.set_rules,
    ("firewalls", "apply_to_resources"): World.apply_to_resources,
    ("servers", "attach_to_network"): World.attach_server,
    ("servers", "poweron"): World.power_on,
    ("servers", "change_type"): World.change_type,
    ("load_balancers", "attach_to_network"): World.attach_balancer,
    ("load_balancers", "add_target"): World.add_target,
    ("load_balancers", "add_service"): World.add_service,
    ("load_balancers", "update_service"): World.update_service,
}


@dataclass
class Fault:
    """An error in place of an answer, for some calls."""

    method: str
    path: str
    status: int
    code: str
    message: str
    times: int = 1 << 30


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as they were on the wire."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes


class StandIn:
    """The stand-in on a port of 127.0.0.1, a free one for 0. exchanges: everything that was said, in order."""

    def __init__(self, port: int = 0) -> None:
        self.world, self.faults, self.exchanges = World(), list[Fault](), list[Exchange]()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def writes(self, start: int = 0) -> list[str]:
        """The requests from a position on that may change something."""
        return [f"{one.method} {one.path}" for one in self.exchanges[start:] if one.method != "GET"]

    def exchange(
        self, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Exchange:
        """Answer one request; calls come one after the other, as if the project had a lock."""
        with self._lock:
            try:
                status, answer = self._answer(method, path, query, headers, json.loads(body or b"{}"))
            except Refusal as refusal:
                status, answer = refusal.status, refusal.body
            text = b"" if status == 204 else json.dumps(answer).encode()
            self.exchanges.append(Exchange(method, path, query, headers, body, status, text))
            return self.exchanges[-1]

    def _answer(self, method: str, path: str, query: Object, headers: Object, body: Object) -> tuple[int, Object]:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, "unauthorized", "unable to authenticate")
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                raise Refusal(fault.status, fault.code, fault.message)
        parts = path.removeprefix("/v1/").split("/")
        kind, number = parts[0], int(parts[1]) if len(parts) > 1 else 0
        if parts == ["pricing"]:
            return 200, {"pricing": offer.PRICING}
        if kind not in self.world.things or len(parts) not in (1, 2, 4):
            raise AssertionError(f"the stand-in does not know {method} {path}")
        one = kind.removesuffix("s")
        if method == "GET":
            return 200, {one: self.world.get(kind, number)} if number else _page(self.world, kind, query)
        if method == "DELETE":
            answer = self.world.delete(kind, number)
            return (200, answer) if answer else (204, {})
        if method == "PUT":
            return 200, {one: self._put(kind, number, body)}
        if number:
            return 201, copy.deepcopy(ACT[kind, parts[3]](self.world, self.world.get(kind, number), body))
        return 201, copy.deepcopy(CREATE[kind](self.world, body))

    def _put(self, kind: str, number: int, body: Object) -> Object:
        thing = self.world.get(kind, number)
        thing |= {key: body[key] for key in ("name", "labels") if body.get(key) is not None}
        return thing


def _page(world: World, kind: str, query: dict[str, list[str]]) -> Object:
    """One page of a list, filtered by name, labels, type and architecture."""
    found = list(world.things[kind].values())
    for key in ("name", "type", "architecture"):
        if key in query:
            found = [one for one in found if one.get(key) in query[key]]
    for term in query.get("label_selector", [""])[0].split(","):
        key, equal, value = term.partition("=")
        found = [
            one for one in found if not key or (one["labels"].get(key) == value if equal else key in one["labels"])
        ]
    page, size = int(query.get("page", ["1"])[0]), min(int(query.get("per_page", ["25"])[0]), 50)
    last = max(-(-len(found) // size), 1)
    pagination = {
        "page": page,
        "per_page": size,
        "previous_page": page - 1 if page > 1 else None,
        "next_page": page + 1 if page < last else None,
        "last_page": last,
        "total_entries": len(found),
    }
    return {kind: found[(page - 1) * size : page * size], "meta": {"pagination": pagination}}


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            done = stand_in.exchange(self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body)
            self.send_response(done.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(done.answer)))
            self.end_headers()
            self.wfile.write(done.answer)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_words: Any) -> None:
            pass

    return Handler
