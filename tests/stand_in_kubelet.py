# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A stand-in for a kubelet: speaks the WebSocket of `kubectl exec` over TLS and answers with texts of the test.

It also stands in for an API server towards a client, because both speak the same here.
"""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# answer(command) -> stdout, stderr, exit status; or an HTTP status and its body to refuse with
Answer = Callable[[list[str]], tuple[str, str, int] | tuple[int, str]]
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def certificate(directory: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in kubelet")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = made.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = directory / "stand-in-kubelet.pem"
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem)
    path.write_bytes(text)
    return path


@contextlib.contextmanager
def stand_in_kubelet(directory: Path, answer: Answer) -> Iterator[int]:
    """Serve on a port of loopback until the block ends."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(directory))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), tls.wrap_socket(self.request, server_side=True) as connection:
                _serve(connection, answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _serve(connection: Any, answer: Answer) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    said = answer(parse_qs(urlsplit(first.split()[1]).query)["command"])
    if len(said) == 2:
        code, body = said
        connection.sendall(f"HTTP/1.1 {code} Refused\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        return
    accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + _GUID).encode()).digest()).decode()
    upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    protocol = headers["sec-websocket-protocol"].split(",")[0]
    connection.sendall(
        f"{upgrade}Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
    )
    stdout, stderr, code = said
    for channel, text in ((1, stdout), (2, stderr), (3, _status(code))):
        data = text.encode()
        for start in range(0, len(data), 4000):
            connection.sendall(_frame(2, bytes([channel]) + data[start : start + 4000]))
    connection.sendall(_frame(8, b"\x03\xe8"))
    connection.recv(4096)


def _status(code: int) -> str:
    """A negative code stands for a command that cannot be started."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"})
    if code < 0:
        return json.dumps({"status": "Failure", "message": "no such file or directory", "reason": "InternalError"})
    causes = [{"reason": "ExitCode", "message": str(code)}]
    failure = {"status": "Failure", "message": f"exit status {code}", "reason": "NonZeroExitCode"}
    return json.dumps({**failure, "details": {"causes": causes}})


def _frame(opcode: int, data: bytes) -> bytes:
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + data
