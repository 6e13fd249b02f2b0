# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The CA of a mesh and its replacement by phases, as files in a directory that only its owner can read.

state.json is the truth, and replacing it is what ends a phase; the other files follow from it. So a run that was
killed anywhere is made good by the next.

    stable --prepare--> prepare --switch--> switch --finish--> stable
    one CA              both trusted,       both trusted,      the new CA
                        the old one signs   the new one signs

From switch, prepare goes back to the old signer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...files import atomic_write
from . import certificates as certs
from .certificates import Pair

FILES = ("state.json", "ca.key", "ca.crt", "bundle.crt")  # in the order of writing
_ENCRYPTED = ("$ANSIBLE_VAULT", "ENC[AES256_GCM")


@dataclass(frozen=True)
class Authority:
    """What the directory holds: one pair in phase stable, else the old and the new one."""

    phase: str
    pairs: tuple[Pair, ...]

    @property
    def signer(self) -> Pair:
        """The pair that signs leafs."""
        return self.pairs[1] if self.phase == "switch" else self.pairs[0]

    @property
    def bundle(self) -> str:
        """The certificates to trust, PEM."""
        return certs.pem(cert for pair in self.pairs for cert in certs.certificates(pair.cert))

    @property
    def next_cert(self) -> str:
        """The certificate of the CA that will sign after the switch, "" outside of phase prepare."""
        return self.pairs[1].cert if self.phase == "prepare" else ""


def load(found: Mapping[str, str], place: str) -> Authority | None:
    """Return what the files (by name) say, None without any. Raise ValueError for what cannot be used."""
    for name, text in found.items():
        if any(word in text for word in _ENCRYPTED):
            raise ValueError(f"{name} in {place} is encrypted: decrypt it, or give ca_cert and ca_key by a lookup")
    if "state.json" in found:
        return _of_state(found, place)
    missing = [name for name in ("ca.crt", "ca.key") if name not in found]
    if len(missing) == 1:
        there = "ca.crt" if missing == ["ca.key"] else "ca.key"
        raise ValueError(f"{missing[0]} is missing in {place}, but {there} is there: restore it from a copy")
    if missing:
        return None
    pair = Pair(found["ca.crt"], found["ca.key"])
    _check(pair, place)
    return Authority("stable", (pair,))


def _of_state(found: Mapping[str, str], place: str) -> Authority:
    try:
        state = json.loads(found["state.json"])
        pairs = tuple(Pair(str(each["cert"]), str(each["key"])) for each in state["authorities"])
        phase = str(state["phase"])
    except (ValueError, KeyError, TypeError):
        pairs, phase = (), ""
    if len(pairs) != {"stable": 1, "prepare": 2, "switch": 2}.get(phase):
        step = "restore it, or remove it to go on with ca.crt and ca.key"
        raise ValueError(f"state.json in {place} cannot be read: {step}")
    for pair in pairs:
        _check(pair, place)
    own = [fingerprint for pair in pairs for fingerprint in certs.fingerprints(pair.cert)]
    if "ca.crt" in found and not _among(found["ca.crt"], own):
        raise ValueError(
            f"ca.crt in {place} is not the CA of state.json ({own[-1][:16]}): "
            "remove ca.crt and ca.key to restore that CA, or state.json to continue with these files"
        )
    if "ca.key" in found and not any(certs.match(certs.certificates(pair.cert)[0], found["ca.key"]) for pair in pairs):
        raise ValueError(f"ca.key in {place} does not match ca.crt: remove it to restore it from state.json")
    return Authority(phase, pairs)


def _among(cert: str, fingerprints: list[str]) -> bool:
    try:
        return set(certs.fingerprints(cert)) <= set(fingerprints)
    except ValueError:
        return True  # half a file is rewritten


def _check(pair: Pair, place: str) -> None:
    try:
        (cert,) = certs.certificates(pair.cert)
    except ValueError:
        raise ValueError(f"ca.crt in {place} is not one PEM certificate: restore it from a copy") from None
    if not certs.is_authority(cert):
        raise ValueError(f"ca.crt in {place} is no CA certificate: it could not sign")
    if not certs.match(cert, pair.key):
        raise ValueError(f"ca.key in {place} does not match ca.crt: restore the two of one CA")


def advance(present: Authority | None, phase: str, make: Callable[[], Pair], place: str) -> Authority:
    """Return what is to be after the phase; stable leaves an open rotation as it is. Raise ValueError out of order."""
    if present is None:
        if phase != "stable":
            raise ValueError(f"phase '{phase}' without a CA: nothing to replace in {place}; begin with phase 'stable'")
        return Authority("stable", (make(),))
    if phase == "prepare":
        pairs = present.pairs if len(present.pairs) == 2 else (*present.pairs, make())
        return Authority("prepare", pairs)
    if phase == "switch":
        if present.phase == "stable":
            raise ValueError(f"phase 'switch' without 'prepare': no next CA in {place}")
        return replace(present, phase="switch")
    if phase == "finish" and present.phase == "prepare":
        raise ValueError(f"phase 'finish' without 'switch': the old CA in {place} still signs")
    return Authority("stable", (present.signer,)) if phase == "finish" else present


def files(wanted: Authority) -> dict[str, str]:
    """Return the files of the directory, in the order of writing."""
    pairs = [{"cert": pair.cert, "key": pair.key} for pair in wanted.pairs]
    state = json.dumps({"phase": wanted.phase, "authorities": pairs}, indent=1) + "\n"
    return dict(zip(FILES, (state, wanted.signer.key, wanted.signer.cert, wanted.bundle), strict=True))


def read(directory: Path) -> dict[str, str]:
    """Return the texts of our files by name; those that are not there are left out. Raise OSError."""
    return {name: (directory / name).read_text(errors="replace") for name in FILES if (directory / name).exists()}


def differing(directory: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return which files have another content or can be read by others, and "." for the directory. Raise OSError."""
    present = read(directory)
    found = [name for name, text in wanted.items() if present.get(name) != text or _mode(directory / name) != 0o600]
    return (["."] if not directory.exists() or _mode(directory) != 0o700 else []) + found


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def write(directory: Path, wanted: Mapping[str, str], names: list[str]) -> None:
    """Write the named files in their order, each whole or not at all. Raise OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    for name in (name for name in wanted if name in names):
        atomic_write(directory / name, wanted[name], 0o600)


def remove(directory: Path, check: bool) -> list[str]:
    """Remove our files, and the directory if nothing else is in it; return the names. Raise OSError."""
    gone = [name for name in FILES if (directory / name).exists()]
    if check:
        return gone
    for name in FILES:
        for temporary in directory.glob(f".{name}.*"):  # of a run that was killed
            temporary.unlink()
        (directory / name).unlink(missing_ok=True)
    if directory.exists() and not any(directory.iterdir()):
        directory.rmdir()
    return gone
