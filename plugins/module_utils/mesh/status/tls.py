# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which CAs the pods of a mesh trust and which certificates they and their servers show, as they mount them. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from ..pki import certificates as certs

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509

OWN = "its own etcd"
_PEER = re.compile(r'^Cluster "(.+)":$|^Local etcd kvstore:$')
_FIELD = re.compile(r"(Serial number|Authority key ID): +([0-9a-fA-F:]+)$")
_SECTIONS = {
    "presented by the server:": "served",
    "TLS Root CA certificates:": "trusted",
    "TLS client certificates:": "shown",
    "Etcd client:": "",
}
_WANTED = {"trusted": "Serial number", "shown": "Authority key ID", "served": "Authority key ID"}


class Handshake(NamedTuple):
    """What a pod has for one peer: serial numbers of the CAs it trusts, else key ids of the CAs that signed."""

    trusted: frozenset[int]
    shown: frozenset[int]  # by the client
    served: frozenset[int]  # by the server; none where there is no connection, or before Cilium says it
    error: str


class Shaken(NamedTuple):
    """What one pod says by peer, whose entries it mounts as they were before, or in error why it says nothing."""

    pod: str
    peers: dict[str, Handshake]
    stale: list[str]
    error: str = ""


class Wanted(NamedTuple):
    """The CAs to trust, by serial number with their fingerprints, and the key id of the one that signs."""

    trusted: dict[int, str]
    signer: int


def wanted(bundle: str, signer: str) -> Wanted:
    """Return what the PEM texts say. Raise ValueError for what is no certificate."""
    [cert] = certs.certificates(signer)
    return Wanted({each.serial_number: certs.fingerprint(each) for each in certs.certificates(bundle)}, _key_id(cert))


def _key_id(cert: x509.Certificate) -> int:
    try:
        found = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        found = x509.SubjectKeyIdentifier.from_public_key(cert.public_key())
    return int.from_bytes(found.digest)


def read(text: str) -> dict[str, Handshake]:
    """Return the handshakes in the output of ``troubleshoot`` by peer; that with the pod's own etcd is OWN."""
    found: dict[str, Handshake] = {}
    peer = section = ""
    for line in text.splitlines():
        if named := _PEER.match(line):
            peer, section = named[1] or OWN, ""
            found[peer] = Handshake(frozenset(), frozenset(), frozenset(), "")
        elif peer:
            section = next((name for end, name in _SECTIONS.items() if line.endswith(end)), section)
            found[peer] = _with(found[peer], section, line)
    return found


def _with(before: Handshake, section: str, line: str) -> Handshake:
    if "❌" in line and not before.error:
        return before._replace(error=line.partition("❌")[2].strip())
    field = _FIELD.search(line)
    if not field or field[1] != _WANTED.get(section):
        return before
    number = int(field[2].replace(":", ""), 16)
    return before._replace(**{section: getattr(before, section) | {number}})


def lack(found: Handshake, asked: Wanted) -> str:
    """Return why a handshake is not as it must be; an empty text is well."""
    missing = sorted(asked.trusted[number][:16] for number in asked.trusted.keys() - found.trusted)
    if missing:
        return f"its mounted CA file lacks {', '.join(missing)}"
    if found.trusted - asked.trusted.keys():
        return "its mounted CA file still holds a CA that is to go"
    if found.shown != {asked.signer}:
        return "its mounted certificate is not signed by the CA that signs now"
    if found.served - {asked.signer}:
        return "the server shows a certificate that is not signed by the CA that signs now"
    return found.error


def reasons(own: str, peers: Iterable[str], words: str, asked: Wanted, seen: list[Shaken]) -> list[str]:
    """Return what is missing in words, by peer and pod; words names the kind of pod."""
    found = []
    for each in seen:
        where = f"cluster {own}: {words} {each.pod}"
        if each.error:
            found.append(f"{where}: {each.error}")
            continue
        names = [*peers, *[name for name in each.peers if name == OWN]]
        texts = {name: lack(each.peers[name], asked) if name in each.peers else "no entry" for name in names}
        texts |= {name: "its mounted entry is the one from before" for name in each.stale if not texts.get(name)}
        found += [f"{where}, {'' if name == OWN else 'peer '}{name}: {text}" for name, text in texts.items() if text]
    return sorted(found)
