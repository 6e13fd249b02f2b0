# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Host keys of existing hosts: the output of ssh, and the findings from it. Pure.

Kept beside accept-new of OpenSSH, which connects even if it cannot record the key, and shows nobody the fingerprint to
compare.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..findings import Finding

# Keys that the user has accepted already count as checked.
OWN = "~/.ssh/known_hosts"
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
# OpenSSH 9.2, sshconnect.c: check_host_key().
_UNKNOWN = re.compile(r"No (\S+) host key is known for (\S+) and you have requested strict checking")
_CHANGED = re.compile(r"Host key for (\S+) has changed and you have requested strict checking")
_OFFERED = re.compile(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s")
_RECORDED = re.compile(r"(\S+) (SHA256:\S+)")


@dataclass(frozen=True)
class Verdict:
    """The judgement of ssh about a host key.

    state: known, unknown, changed, or silent when the host sent no key.
    host: the name under which known_hosts has the key. key: kind and, if ssh prints it, fingerprint of the key.
    reason: why the host sent no key.
    """

    state: str
    host: str = ""
    key: str = ""
    reason: str = ""


def files(file: str) -> str:
    """Value of UserKnownHostsFile; ssh adds keys to the first."""
    return f'"{file}" "{OWN}"'


def arguments(file: str, check: bool, before: str = "") -> str:
    """Arguments for ssh in shell syntax, added to those of the machine.

    In check mode an unknown key is accepted and not recorded.
    """
    first = "/dev/null " if check else ""
    words = f"-o {shlex.quote(f'UserKnownHostsFile={first}{files(file)}')}"
    return f"{before} {words}{' -o StrictHostKeyChecking=accept-new' if check else ''}".strip()


def unpinned(nodes: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[str]:
    """Existing hosts that are reached by OpenSSH and whose arguments for it set no UserKnownHostsFile."""
    found = []
    for name in sorted(name for name, node in nodes.items() if node["machine"] == "existing"):
        own = hostvars[name]
        words = " ".join(str(own.get(variable) or "") for variable in _ARGUMENTS)
        is_ssh = str(own.get("ansible_connection") or "ssh").rpartition(".")[2] in ("ssh", "smart")
        if is_ssh and "userknownhostsfile" not in words.lower():
            found.append(name)
    return found


def verdict(code: int, output: str) -> Verdict:
    """Judge the key by the output of a connection with StrictHostKeyChecking=yes and no way to log in."""
    offered = _OFFERED.search(output)
    if match := _UNKNOWN.search(output):
        return Verdict("unknown", match[2], match[1])
    if match := _CHANGED.search(output):
        return Verdict("changed", match[1], f"{offered[1]} {offered[2]}" if offered else "")
    if code == 0 or "Permission denied (" in output:
        return Verdict("known")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return Verdict("silent", reason=(lines or ["no output of ssh"])[-1])


def recorded(listing: str) -> str:
    """Kinds and fingerprints in the output of `ssh-keygen -lF`."""
    lines = [line for line in listing.splitlines() if not line.startswith("#")]
    return ", ".join(f"{match[1]} {match[2]}" for line in lines if (match := _RECORDED.search(line)))


def changed(name: str, address: str, where: str, found: Verdict, known: str, file: str) -> Finding:
    """The finding about a key that is not the recorded one."""
    problem = f"the host key of {address} has changed to {found.key}; {file} has {known} for {found.host}"
    step = (
        "Someone may be intercepting the connection. If the machine was reinstalled on purpose, remove the old key: "
        f"ssh-keygen -R {shlex.quote(found.host)} -f {shlex.quote(file)}"
    )
    return Finding("error", name, "node_address", problem, step, where, value=found.key)


def pinned(name: str, key: str, file: str) -> str:
    """The message of the first connection."""
    return (
        f"{name}: first connection, its host key {key} is recorded in {file}. Compare it on the machine's console: "
        "for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done"
    )
