# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What `connect` reads and writes of HTTP, and what it finds in Kubernetes' objects. Pure."""

import http
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LONGEST_HEAD = 64 * 1024
# Headers of one hop; without them each connection carries one request, so that each is led by its own Host.
_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"http2-settings")


class Refused(Exception):
    """There is no answer of the service; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Head:
    """The host that a request asks for, without port, and the bytes to send on."""

    host: str
    forward: bytes


def parse(head: bytes) -> Head:
    """Read the head of a request, up to and with its empty line."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise Refused(400, "Not an HTTP/1.1 request.")
    headers = [(line.partition(b":")[0].lower(), line) for line in lines]
    values = [(name, line.partition(b":")[2].strip()) for name, line in headers]
    hosts = [value for name, value in values if name == b"host"]
    if absolute := re.match(rb"http://([^/]+)", parts[1], re.IGNORECASE):
        # What a client sends that takes us for its proxy; this host counts (RFC 9112, 3.2.2).
        hosts = [absolute[1]]
    if len(hosts) != 1:
        raise Refused(400, f"The request has {len(hosts)} Host headers; exactly one is required.")
    host = re.sub(r"\.?(:\d*)?$", "", hosts[0].decode("latin-1").lower())
    if any(name == b"upgrade" and value.lower() == b"websocket" for name, value in values):
        return Head(host, head)
    kept = [line for name, line in headers if name not in _HOP]
    return Head(host, b"\r\n".join([first, *kept, b"Connection: close", b"", b""]))


def page(status: int, text: str) -> bytes:
    """An answer of `connect` itself."""
    body = f"odp connect: {text.strip()}\n".encode()
    head = (
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def endpoints(service: dict[str, Any], slices: Iterable[dict[str, Any]], port: int) -> list[tuple[str, int]]:
    """The ready pods behind a port of a Service, each with the port that its container listens on."""
    ports = {each["port"]: each.get("name") or "" for each in service["spec"].get("ports") or []}
    if port not in ports:
        known = ", ".join(map(str, ports)) or "none"
        raise Refused(502, f"Service {service['metadata']['name']} has no port {port}, only: {known}.")
    found = set()
    for each in slices:
        numbers = [known["port"] for known in each.get("ports") or [] if (known.get("name") or "") == ports[port]]
        for endpoint in each.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            if target.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready") is not False:
                found |= {(target["name"], number) for number in numbers}
    return sorted(found)


def reasons(pods: Iterable[dict[str, Any]], release: dict[str, Any] | None) -> str:
    """Why no pod is ready: what the pods say, then what Flux says."""
    found = [f"pod {pod['metadata']['name']}: {said}" for pod in pods for said in _unready(pod)]
    for condition in _conditions(release or {}, "Ready"):
        found.append(f"Flux: {condition.get('message') or condition.get('reason')}")
    return "; ".join(found) or "it has no pods."


def _unready(pod: dict[str, Any]) -> list[str]:
    """What a pod's containers wait for; else why it has no node, or that it starts."""
    status = pod.get("status") or {}
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    said = []
    for container in states:
        state = container.get("state") or {}
        detail = state.get("waiting") or ({} if container.get("ready") else state.get("terminated")) or {}
        if detail.get("reason", "Completed") != "Completed":
            said.append(f"{container['name']}: {detail['reason']} {detail.get('message', '')}".strip())
    waits = [each.get("message") or "it has no node" for each in _conditions(pod, "PodScheduled")]
    return said or waits or [status.get("phase") or "Pending"]


def _conditions(item: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The condition of this kind where it is not true."""
    known = (item.get("status") or {}).get("conditions") or []
    return [each for each in known if each["type"] == kind and each["status"] != "True"]
