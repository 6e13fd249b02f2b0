# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Host keys of given machines: what ssh says of them, and the words for it. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Where OpenSSH keeps what its user has accepted: a key that a person checked already is not asked for again.
OWN = "~/.ssh/known_hosts"
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
# OpenSSH 9.2, sshconnect.c: check_host_key().
_UNKNOWN = re.compile(r"No (\S+) host key is known for (\S+) and you have requested strict checking")
_CHANGED = re.compile(r"Host key for (\S+) has changed and you have requested strict checking")
_OFFERED = re.compile(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s")
_RECORDED = re.compile(r"(\S+) (SHA256:\S+)")


@dataclass(frozen=True)
class Verdict:
    """What ssh says of a host key.

    state: known, unknown, changed, or silent when it never came to a key.
    host: the name under which known_hosts has the key. key: kind and, if ssh told it, fingerprint of the offered key.
    reason: why there was no key.
    """

    state: str
    host: str = ""
    key: str = ""
    reason: str = ""


def files(file: str) -> str:
    """Value of UserKnownHostsFile: new keys go to the first."""
    return f'"{file}" "{OWN}"'


def arguments(file: str, check: bool, before: str = "") -> str:
    """Arguments for ssh, as a shell would read them, after those that a machine has already.

    In check mode a key that is not known yet is accepted, and forgotten.
    """
    first = "/dev/null " if check else ""
    words = f"-o {shlex.quote(f'UserKnownHostsFile={first}{files(file)}')}"
    return f"{before} {words}{' -o StrictHostKeyChecking=accept-new' if check else ''}".strip()


def unpinned(nodes: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[str]:
    """Given machines that are reached by OpenSSH, and whose arguments for it name no file of known hosts."""
    found = []
    for name in sorted(name for name, node in nodes.items() if node["machine"] == "given"):
        own = hostvars[name]
        words = " ".join(str(own.get(variable) or "") for variable in _ARGUMENTS)
        is_ssh = str(own.get("ansible_connection") or "ssh").rpartition(".")[2] in ("ssh", "smart")
        if is_ssh and "userknownhostsfile" not in words.lower():
            found.append(name)
    return found


def verdict(code: int, said: str) -> Verdict:
    """What a connection with StrictHostKeyChecking=yes and without any way to log in says of the key."""
    offered = _OFFERED.search(said)
    if match := _UNKNOWN.search(said):
        return Verdict("unknown", match[2], match[1])
    if match := _CHANGED.search(said):
        return Verdict("changed", match[1], f"{offered[1]} {offered[2]}" if offered else "")
    if code == 0 or "Permission denied (" in said:
        return Verdict("known")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return Verdict("silent", reason=(lines or ["ssh said nothing"])[-1])


def recorded(listing: str) -> str:
    """Kinds and fingerprints of what `ssh-keygen -lF` printed."""
    lines = [line for line in listing.splitlines() if not line.startswith("#")]
    return ", ".join(f"{match[1]} {match[2]}" for line in lines if (match := _RECORDED.search(line)))


def changed(who: str, found: Verdict, known: str, file: str) -> str:
    """The refusal of another key."""
    return (
        f"{who}: its host key is another than before: {found.key}, recorded was {known} of {found.host} in {file}. "
        "Somebody may stand between you and the machine. If it was installed anew on purpose, forget the old key: "
        f"ssh-keygen -R {shlex.quote(found.host)} -f {shlex.quote(file)}"
    )


def silent(who: str, reason: str) -> str:
    """The refusal of a machine that never showed a key."""
    return f"{who}: does not answer SSH: {reason.rstrip('.')}. Correct node_address or the keys, or start the machine."


def pinned(who: str, key: str, file: str) -> str:
    """What is said once."""
    return (
        f"{who}: first contact, its host key {key} is recorded in {file}. Compare it on the machine's console: "
        "for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done"
    )
