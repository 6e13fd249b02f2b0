# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Questions to a running supervisord over its socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path

ANSWER_SECONDS = 30
BAD_NAME = 10
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)


def proxy(path: Path):
    """Return supervisord's interface behind the socket at ``path``; nothing is asked yet."""
    # Imported here: hosts that only show a documentation have no supervisor.
    from supervisor.xmlrpc import SupervisorTransport

    socket.setdefaulttimeout(ANSWER_SECONDS)
    return xmlrpc.client.ServerProxy("http://local", SupervisorTransport(serverurl=f"unix://{path}")).supervisor


def answers(path: Path) -> bool:
    """Say whether a supervisord answers at the socket and is not about to end."""
    try:
        return proxy(path).getState()["statename"] == "RUNNING"
    except UNREACHABLE:
        return False


def info(path: Path, program: str) -> dict:
    """Return what supervisord knows of a program, nothing if it knows none of this name or does not run."""
    try:
        return proxy(path).getProcessInfo(program)
    except UNREACHABLE:
        return {}
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == BAD_NAME:
            return {}
        raise
