# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Compare the files of a node with their description. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

File = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """The file at a path: digest (empty if there is none), text (None if not requested), mode, owned by this user."""

    sha256: str = ""
    text: str | None = None
    mode: int = 0
    owned: bool = True


def spec_errors(files: list[File], absent: list[str]) -> list[str]:
    """Return every error in the options ``files`` and ``absent`` of module node_files."""
    errors = []
    paths = [file["path"] for file in files]
    for path in [*paths, *absent]:
        if not path.startswith("/"):
            errors.append(f"{path}: the path must start with /.")
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        errors.append(f"{path}: described more than once.")
    for path in sorted(set(paths) & set(absent)):
        errors.append(f"{path}: described in files and in absent.")
    for file in files:
        if (file["content"] is None) == (not file["url"]):
            errors.append(f"{file['path']}: needs either content or url.")
        if file["url"] and len(file["sha256"] or "") != 64:
            errors.append(f"{file['path']}: url needs the sha256 of the final file, 64 hexadecimal digits.")
    return errors


def wanted_sha256(file: File) -> str:
    """Digest that the file must have."""
    if file["content"] is None:
        return str(file["sha256"]).lower()
    return hashlib.sha256(file["content"].encode()).hexdigest()


def differs(file: File, found: Found) -> bool:
    """Whether content, mode or owner differ from the description."""
    return found.sha256 != wanted_sha256(file) or found.mode != int(file["mode"], 8) or not found.owned


def diff(file: File, found: Found) -> dict[str, str]:
    """The difference in the form of Ansible: secrets and binaries by digest only."""
    shown = file["content"] is not None and not file["secret"]
    before = found.text if shown else f"sha256:{found.sha256}\n"
    after = file["content"] if shown else f"sha256:{wanted_sha256(file)}\n"
    if not found.sha256:
        before = ""
    elif found.mode != int(file["mode"], 8) or not found.owned:
        before = f"mode: {found.mode:04o}, owner: {'ours' if found.owned else 'another'}\n{before}"
        after = f"mode: {file['mode']}, owner: ours\n{after}"
    name = file["path"] if not file["url"] else f"{file['path']} from {file['url']}"
    return {"before_header": file["path"], "after_header": name, "before": before or "", "after": after}


def by_url(files: list[File]) -> dict[str, list[File]]:
    """Group files by URL, so that each archive is downloaded once."""
    groups: dict[str, list[File]] = {}
    for file in files:
        groups.setdefault(file["url"], []).append(file)
    return groups
