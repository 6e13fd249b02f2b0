# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check what is asked of peers; write and read their entries and the list of users as Cilium's chart does. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..chart import AGENT_SECRET, KVSTOREMESH_SECRET, SERVICE, Flavour, host_port
from ..chart import address as ip_address

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    # Leaves every scalar a text; others read 2001:0:1:2:3:4:5:6 as a number. That in C is ten times as fast.
    _LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_FILES = "/var/lib/cilium/clustermesh"
_CA_COMMENT = "# ca: "
_BASE_60 = re.compile(r"[0-9]+(:[0-5]?[0-9])+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?")
_PORT = 2379
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
    local = _text((f"https://{SERVICE}.{namespace}.svc:2379",), "local", fingerprint)
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
    """Return the roles by the user's name; none of what cannot be read, so that it is rewritten."""
    try:
        return {str(each["name"]): str(each["role"]) for each in yaml.load(text, Loader=_LOADER)["users"] or []}
    except (yaml.YAMLError, KeyError, TypeError):
        return {}


def findings(asked: list[dict[str, Any]], own: str, own_id: int, dial: str, names_only: bool) -> list[str]:
    """Return all that is wrong with the option peers, in its order; names_only is enough for a removal."""
    found: list[str] = []
    names, ids = {}, {own_id: own} if own_id else {}
    for number, item in enumerate(asked, 1):
        name = item.get("name")
        if not isinstance(name, str) or len(name) > 32 or not _NAME.fullmatch(name):
            found.append(
                f"peer {number}: name {name!r} is invalid: at most 32 lower-case alphanumerics or '-', "
                "beginning and ending with an alphanumeric"
            )
            continue
        if name in names:
            found.append(f"peer '{name}' is listed twice: remove one")
        names[name] = item
        if not names_only and name != own:
            found += _id(name, item.get("id"), ids)
            if item.get("enabled", True):
                found += [f"peer '{name}': {text}" for text in _endpoint(item.get("endpoint") or {}, dial)]
    return found


def _id(name: str, number: Any, ids: dict[int, str]) -> list[str]:
    if not _in_range(number, 511):
        return [f"peer '{name}': id {number} is outside 1..511"]
    other = ids.setdefault(int(number), name)
    return [] if other == name else [f"'{other}' and '{name}' both have id {number}: ids are unique in the mesh"]


def _endpoint(endpoint: Any, dial: str) -> list[str]:
    found: list[str] = []
    if not isinstance(endpoint, dict):
        return [f"endpoint {endpoint!r} is no mapping of ips, address and port"]
    ips, address, port = endpoint.get("ips") or [], endpoint.get("address") or "", endpoint.get("port") or _PORT
    if not ips and not address:
        found.append("it has no endpoint: give endpoint.ips or endpoint.address")
    elif dial == "aliases" and not ips:
        found.append("dial=aliases needs endpoint.ips")
    found += [f"endpoint.ips holds {ip!r}, which is no IP address" for ip in ips if not ip_address(ip)]
    if address and not ip_address(address) and not _DNS.fullmatch(str(address)):
        found.append(f"endpoint.address {address!r} is no DNS name or IP address")
    if not _in_range(port, 65535):
        found.append(f"endpoint.port {port} is outside 1..65535")
    return found


def _in_range(number: Any, highest: int) -> bool:
    try:
        return 1 <= int(number) <= highest
    except (TypeError, ValueError):
        return False


def mismatch(name: str, number: int, expected: tuple[str | None, int | None], asked: Iterable[dict[str, Any]]) -> str:
    """Return who was expected behind the kubeconfig, "" if it is the cluster found (name, number).

    The list of peers tells it as well where it holds an entry of this name.
    """
    listed = next((int(item["id"]) for item in asked if item.get("name") == name and _in_range(item.get("id"), 511)), 0)
    wanted_name, wanted_number = expected[0] or name, expected[1] or listed or number
    if (wanted_name, wanted_number) == (name, number):
        return ""
    return f"'{wanted_name}' (id {wanted_number})"


def wanted(asked: Iterable[dict[str, Any]], own: str, dial: str, domain: str) -> list[Peer]:
    """Return what to dial of each enabled peer, by name; own entries are left out. Checked by findings before."""
    kept = [item for item in asked if item.get("enabled", True) and item["name"] != own]
    return sorted(_peer(item["name"], item["endpoint"], dial, domain) for item in kept)


def _peer(name: str, endpoint: dict[str, Any], dial: str, domain: str) -> Peer:
    ips = tuple(map(str, endpoint.get("ips") or []))
    address, port = endpoint.get("address") or "", int(endpoint.get("port") or _PORT)
    if dial == "aliases" or (dial == "auto" and not address):
        hostname = f"{name}.{domain}"
        return Peer(name, (f"https://{hostname}:{port}",), hostname, ips)
    return Peer(name, tuple(f"https://{host_port(host, port)}" for host in ([address] if address else ips)))
