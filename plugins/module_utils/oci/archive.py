# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The files of a tree: their findings, their archive (the same bytes on any machine), and what changes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import posixpath
import struct
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..kubernetes import manifests

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

_STORED_BLOCK = 0xFFFF


def findings(files: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each file that cannot be published under its path."""
    if not files:
        return ["files is empty: Flux would prune all that it applied before. Set at least one file"]
    found = []
    spellings: dict[str, list[str]] = {}
    for path in sorted(files):
        if fault := _fault(path, files[path]):
            found.append(f"files: '{path}' {fault}")
        else:
            spellings.setdefault(posixpath.normpath(path), []).append(path)
    for plain, paths in spellings.items():
        if len(paths) > 1:
            found.append(f"files: {' and '.join(map(repr, paths))} are the same file: keep one of them")
        elif plain != paths[0]:
            found.append(f"files: '{paths[0]}' is not in its shortest form: write '{plain}'")
        parents = [str(parent) for parent in PurePosixPath(plain).parents if str(parent) in spellings]
        found += [f"files: '{parent}' is both a file and the folder of '{plain}': rename one" for parent in parents]
    return found


def _fault(path: str, text: Any) -> str:
    if not path.isprintable() or "\\" in path:
        return "is not a path: use printable characters and / between folders"
    if path.startswith("/"):
        return "is absolute: write it relative to the root of the tree"
    # Flux refuses "../" wherever it stands, even in "a../b".
    if "../" in path or posixpath.normpath(path) == "..":
        return "leaves the tree: write it without .."
    if posixpath.normpath(path) == "." or path.endswith("/"):
        return "does not name a file"
    return "" if isinstance(text, str) else f"is not text but {type(text).__name__}"


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return the files as a reproducible tar: sorted, without times, owners or modes of this machine."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            # Time 0, user and group 0, mode 0644 are what a new entry has.
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            archive.addfile(entry, io.BytesIO(files[path]))
    return stream.getvalue()


def gzip(data: bytes) -> bytes:
    """Return the data as gzip without compression: compressed bytes differ between zlib and its successors."""
    parts = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for start in range(0, len(data), _STORED_BLOCK):
        block = data[start : start + _STORED_BLOCK]
        last = start + _STORED_BLOCK >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])


def unpack(layer: bytes) -> dict[str, bytes]:
    """Return the files of a tar with gzip. Raise ValueError for anything else."""
    try:
        with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"is not a gzipped tar ({error})") from error


def digest_diff(reference: str, before: str, after: str) -> dict[str, str]:
    """Return the entry of Ansible's diff mode for the artifact as a whole."""
    return _entry(reference, *(f"{digest}\n" if digest else "" for digest in (before, after)))


def diff(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """Return one entry of Ansible's diff mode for each file that differs; data of Secrets as digests."""
    paths = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    return [_entry(path, _shown(before.get(path, "")), _shown(after.get(path, ""))) for path in paths]


def _entry(name: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _shown(text: str) -> str:
    """Return the text as it is, unless it holds a Secret; a text that cannot be judged as its digest."""
    try:
        documents = manifests.load(text)
        if not any(isinstance(each, dict) and each.get("kind") == "Secret" for each in documents):
            return text
        return yaml.safe_dump_all([manifests.redact(each) for each in documents])
    except (ValueError, TypeError, AttributeError):
        return f"not valid YAML, not shown, sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}\n"
