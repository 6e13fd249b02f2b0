# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The configuration of supervisord. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """One supervised program.

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``.
        command: the program and its arguments, run without a shell.
        environment: variables in addition to supervisord's own.
        autorestart: ``always``, ``never`` or ``unexpected`` (restart unless the exit status is in ``exitcodes``).
        exitcodes: expected exit statuses.
        start_seconds: how long the program must run to count as started.
        stop_seconds: how long to wait between SIGTERM and SIGKILL.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    autorestart: str = "always"
    exitcodes: list[int] = field(default_factory=lambda: [0])
    start_seconds: int = 1
    stop_seconds: int = 10


RESTART = {"always": "true", "never": "false", "unexpected": "unexpected"}


def program_findings(program: Program) -> list[str]:
    """Return what supervisord's configuration format cannot express, one sentence each."""
    findings = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", program.name):
        findings.append(
            f"name: {program.name!r} must be letters, digits, '.', '_' and '-', the first a letter or digit"
        )
    if not program.command:
        findings.append("command: is empty, name the program to run")
    for word in program.command:
        if re.search(r"[\n\r]|(^|\s)[;#]", word):
            findings.append(f"command: {word!r} has a line break, or ';' or '#' after a space, which start a comment")
    for key, value in program.environment.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            findings.append(f"environment: {key!r} is not a name of an environment variable")
        if re.search(r"[\n\r\"']|(^|\s)[;#]", value):
            findings.append(f"environment: the value of {key} has a quote, a line break, or ';' or '#' after a space")
    return findings


def program_text(program: Program, logs: Path) -> str:
    """Return the section of a program; ``setpriv`` ends it with its supervisord, so that it never runs twice."""
    command = ["setpriv", "--pdeathsig", "KILL", "--", *program.command]
    lines = [
        f"[program:{program.name}]",
        f"command={_escape(shlex.join(command))}",
        f"autorestart={RESTART[program.autorestart]}",
        f"exitcodes={','.join(str(code) for code in sorted(program.exitcodes))}",
        f"startsecs={program.start_seconds}",
        f"stopwaitsecs={program.stop_seconds}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_escape(str(logs / f'{program.name}.log'))}",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=1",
    ]
    if program.environment:
        pairs = (f'{key}="{_escape(value)}"' for key, value in sorted(program.environment.items()))
        lines.append(f"environment={','.join(pairs)}")
    return "\n".join(lines) + "\n"


def supervisord_text(runtime: Path, logs: Path) -> str:
    """Return the configuration of a supervisord: socket, log and directory of programs."""
    return f"""[supervisord]
pidfile={runtime}/supervisord.pid
logfile={logs}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=1
childlogdir={logs}
directory=/

[unix_http_server]
file={runtime}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={runtime}/conf.d/*.conf
"""


def _escape(text: str) -> str:
    """Return a text in which supervisord expands nothing."""
    return text.replace("%", "%%")
