# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Control the supervisord of a fleet, and write its configuration."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import atomic_write

WAIT_SECONDS = 30
UP = {"RUNNING", "STARTING", "BACKOFF"}
BAD_NAME = 10
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)


class SupervisorError(Exception):
    """An error of supervisord or a program; the message is for the user."""


@dataclass(frozen=True)
class Program:
    """One supervised program.

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``.
        command: the program and its arguments, run without a shell.
        environment: variables in addition to supervisord's own.
        autorestart: ``true``, or ``unexpected`` to restart it unless its exit status is 0.
        stop_seconds: how long to wait between SIGTERM and SIGKILL.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    autorestart: str = "true"
    stop_seconds: int = 10


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
        f"autorestart={program.autorestart}",
        "exitcodes=0",
        "startsecs=1",
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


class Supervisor:
    """The supervisord of one fleet.

    Args:
        runtime: the directory of its configuration, socket and pid file.
        logs: the directory of all its logs.
    """

    def __init__(self, runtime: Path, logs: Path) -> None:
        self.runtime, self.logs = runtime, logs
        self.config, self.socket = runtime / "supervisord.conf", runtime / "supervisor.sock"

    @classmethod
    def of_fleet(cls, fleet: str) -> Supervisor:
        """Return the supervisord of the fleet of this name, running or not."""
        return cls(Path("/run/odp") / fleet, Path("/var/log/odp") / fleet)

    def program_file(self, name: str) -> Path:
        """Return the configuration file of a program."""
        return self.runtime / "conf.d" / f"{name}.conf"

    def state(self, name: str) -> str:
        """Return the state of a program, ``ABSENT`` if it is unknown or supervisord is not running."""
        return str(self._info(name).get("statename", "ABSENT"))

    def pid(self, name: str) -> int:
        """Return the process ID of a program, 0 if it is not running."""
        return int(self._info(name).get("pid", 0))

    def log_tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines of a program's output."""
        with contextlib.suppress(OSError):
            return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    def apply(self, program: Program) -> None:
        """Start a program, or restart it if its configuration changed. Raises SupervisorError."""
        with self._locked():
            path = self.program_file(program.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, program_text(program, self.logs), 0o600)
            if not self._answers():
                self._start()
            rpc = self._rpc
            added, changed, _removed = rpc.reloadConfig()[0]
            if program.name in changed:
                rpc.stopProcessGroup(program.name)
                rpc.removeProcessGroup(program.name)
            if program.name in [*added, *changed]:
                rpc.addProcessGroup(program.name)
            elif self.state(program.name) not in UP:
                with contextlib.suppress(xmlrpc.client.Fault):
                    rpc.startProcess(program.name, False)
        # Without the lock, so that other programs of the fleet can start meanwhile.
        self._wait_running(program.name)

    def stop(self, names: list[str]) -> None:
        """Stop programs, all at once, and wait until they have ended. Raises SupervisorError."""
        running = [name for name in names if self.state(name) in UP]
        for name in running:
            self._rpc.stopProcess(name, False)
        deadline = time.monotonic() + WAIT_SECONDS
        for name in running:
            while (state := self.state(name)) in {*UP, "STOPPING"}:
                if time.monotonic() > deadline:
                    raise SupervisorError(f"{name} is {state} after {WAIT_SECONDS} s, not STOPPED")
                time.sleep(0.05)

    def remove(self, name: str) -> None:
        """Stop and remove a program, and supervisord with its last program. Raises SupervisorError."""
        with self._locked():
            self.program_file(name).unlink(missing_ok=True)
            if self._answers():
                rpc = self._rpc
                rpc.reloadConfig()
                if self.state(name) != "ABSENT":
                    rpc.stopProcessGroup(name)
                    rpc.removeProcessGroup(name)
            for log in self.logs.glob(f"{name}.log*"):
                log.unlink(missing_ok=True)
            if not list((self.runtime / "conf.d").glob("*.conf")):
                self.shut_down()

    def shut_down(self, at_once: bool = False) -> None:
        """Stop supervisord with all its programs and remove its files; ``at_once`` sends SIGKILL."""
        for pid in self.pids():
            end(pid, signal.SIGKILL if at_once else signal.SIGTERM)
        for path in [*self.runtime.glob("conf.d/*"), *self.runtime.glob("*supervisor*"), *self.logs.glob("*.log*")]:
            path.unlink(missing_ok=True)
        for directory in (self.runtime / "conf.d", self.runtime, self.logs, self.runtime.parent, self.logs.parent):
            with contextlib.suppress(OSError):
                directory.rmdir()

    def pids(self) -> list[int]:
        """Return the processes with this configuration, also those whose socket is gone."""
        return pids_of("supervisor.supervisord", str(self.config))

    def _start(self) -> None:
        for pid in self.pids():
            end(pid)
        self.logs.mkdir(parents=True, exist_ok=True)
        atomic_write(self.config, supervisord_text(self.runtime, self.logs), 0o600)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.config)]
        # A clean environment: every program would inherit that of Ansible, including secrets.
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise SupervisorError(f"supervisord did not start ({self.config}): {(done.stderr or done.stdout).strip()}")
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise SupervisorError(f"supervisord does not answer at {self.socket}, see {self.logs}/supervisord.log")
            time.sleep(0.05)

    def _wait_running(self, name: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while (state := self.state(name)) != "RUNNING":
            if state not in UP or time.monotonic() > deadline:
                raise SupervisorError(f"{name} is {state}, not RUNNING; it printed:\n{self.log_tail(name)}")
            time.sleep(0.05)

    @property
    def _rpc(self) -> Any:
        """The interface of supervisord; nothing is sent yet."""
        # Imported here: machines that only show documentation do not have the package.
        from supervisor.xmlrpc import SupervisorTransport

        socket.setdefaulttimeout(WAIT_SECONDS)
        return xmlrpc.client.ServerProxy(
            "http://local", SupervisorTransport(serverurl=f"unix://{self.socket}")
        ).supervisor

    def _answers(self) -> bool:
        """Return whether supervisord answers and is not shutting down."""
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except UNREACHABLE:
            return False

    def _info(self, name: str) -> dict[str, Any]:
        """Return supervisord's record of a program, empty if there is none or supervisord is not running."""
        try:
            return dict(self._rpc.getProcessInfo(name))
        except UNREACHABLE:
            return {}
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == BAD_NAME:
                return {}
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the fleet's lock: the machines of a fleet are created in parallel."""
        self.runtime.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.runtime, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def pids_of(*words: str) -> list[int]:
    """Return the processes whose command line has all these arguments."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().decode(errors="replace").split("\0")
            if all(word in line for word in words):
                found.append(int(entry.parent.name))
    return found


def alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int, first: signal.Signals = signal.SIGTERM) -> None:
    """Stop a process, with SIGKILL after a while, and wait until it has ended."""
    for number in (first, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + WAIT_SECONDS
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not alive(pid):
            return
