# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Write and read the entry of a peer, and the list of users, as Cilium's chart renders them. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from ..chart import (
    AGENT_SECRET,
    KVSTOREMESH_SECRET,
    SERVICE,
    Flavour,
)

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    # Leaves every scalar a text; others read 2001:0:1:2:3:4:5:6 as a number. That in C is ten times as fast.
    _LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_FILES = "/var/lib/cilium/clustermesh"
_CA_COMMENT = "# ca: "
_BASE_60 = re.compile(r"[0-9]+(:[0-5]?[0-9])+")
_KNOWN = {"endpoints", "trusted-ca-file", "key-file", "cert-file", "cilium-host-aliases"}


class Peer(NamedTuple):
    """What is dialled: urls as they are, and where one of them has a name made for the peer's ips, both."""

    name: str
    urls: tuple[str, ...]
    hostname: str = ""
    ips: tuple[str, ...] = ()


class Entry(NamedTuple):
    """What an entry means: order counts nowhere in it."""

    endpoints: frozenset[str]
    files: tuple[str, str, str]  # CA, key, certificate
    aliases: frozenset[tuple[str, str]]  # hostname, ip
    fingerprint: str  # of the comment, "" without one
    unknown: frozenset[str]  # names of fields that Cilium's chart does not write


def render(peer: Peer, flavour: Flavour, namespace: str, kvstoremesh: bool, fingerprint: str = "") -> dict[str, bytes]:
    """Return the exact bytes of the peer's key, by the name of the Secret."""
    remote = _text(peer.urls, "common", fingerprint)
    if peer.ips and flavour.aliases_in_entries:
        # The space after "ips:" is the chart's.
        remote += f"\ncilium-host-aliases:\n- hostname: {peer.hostname}\n  ips: "
        remote += "".join(f"\n    - {_scalar(ip)}" for ip in peer.ips)
    if not kvstoremesh:
        return {AGENT_SECRET: remote.encode()}
    local = _text((f"https://{SERVICE}.{namespace}.svc:2379",), flavour.agent_certs, fingerprint)
    return {AGENT_SECRET: local.encode(), KVSTOREMESH_SECRET: remote.encode()}


def _text(urls: tuple[str, ...], prefix: str, fingerprint: str) -> str:
    lines = [f"{_CA_COMMENT}{fingerprint}"] if fingerprint else []
    lines += ["endpoints:", *[f"- {url}" for url in urls]]
    lines += [f"trusted-ca-file: {_FILES}/{prefix}-etcd-client-ca.crt"]
    lines += [f"key-file: {_FILES}/{prefix}-etcd-client.key", f"cert-file: {_FILES}/{prefix}-etcd-client.crt"]
    return "\n".join(lines)


def _scalar(ip: str) -> str:
    """Return an IP address as the chart's toYaml writes it: quoted where YAML would read a key or a number."""
    if ip.endswith(":"):
        return f"'{ip}'"
    return f'"{ip}"' if _BASE_60.fullmatch(ip) else ip


def is_entry(content: bytes) -> bool:
    """Return whether Cilium takes a file of this content for a peer."""
    return b"endpoints:" in content


def parse(content: bytes) -> Entry | None:
    """Return what an entry means, None for what is none."""
    try:
        text = content.decode()
        found = yaml.load(text, Loader=_LOADER)
        if not isinstance(found["endpoints"], list):
            return None
        aliases = found.get("cilium-host-aliases") or []
        return Entry(
            frozenset(map(str, found["endpoints"])),
            (str(found.get("trusted-ca-file")), str(found.get("key-file")), str(found.get("cert-file"))),
            frozenset((str(each["hostname"]), str(ip)) for each in aliases for ip in each["ips"]),
            next((line.removeprefix(_CA_COMMENT) for line in text.splitlines() if line.startswith(_CA_COMMENT)), ""),
            frozenset(map(str, found)) - _KNOWN,
        )
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        return None


def same(wanted: bytes, live: bytes) -> bool:
    """Return whether both mean the same; the CA's comment counts only where it is wanted."""
    ours, theirs = parse(wanted), parse(live)
    if ours and theirs and not ours.fingerprint:
        theirs = theirs._replace(fingerprint="")
    return ours is not None and ours == theirs


def show(content: bytes) -> str:
    """Return an entry to look at; of what only looks like one nothing, for it may be secret."""
    entry = parse(content)
    if entry is None:
        return "no valid entry\n"
    aliases = [f"alias: {hostname} {ip}" for hostname, ip in sorted(entry.aliases)]
    unknown = [f"unknown field: {name}" for name in sorted(entry.unknown)]
    lines = [f"ca: {entry.fingerprint}"] if entry.fingerprint else []
    lines += [f"endpoint: {url}" for url in sorted(entry.endpoints)] + [f"file: {path}" for path in entry.files]
    return "\n".join([*lines, *aliases, *unknown]) + "\n"


def render_users(users: Mapping[str, str]) -> str:
    """Return users.yaml for roles by the user's name."""
    return "users:\n" + "".join(f"- name: {name}\n  role: {users[name]}\n" for name in sorted(users))


def parse_users(text: str) -> dict[str, str]:
    """Return the roles by the user's name; none of what cannot be read, so that it is written anew."""
    try:
        return {str(each["name"]): str(each["role"]) for each in yaml.load(text, Loader=_LOADER)["users"] or []}
    except (yaml.YAMLError, KeyError, TypeError):
        return {}
