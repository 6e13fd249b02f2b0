# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is to be done about the files of a node. Pure: descriptions in, decisions out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """What lies at a path: digest (empty if nothing does), text (None if not asked for), mode, whether it is ours."""

    sha256: str = ""
    text: str | None = None
    mode: int = 0
    owned: bool = True


def spec_errors(files: list[dict], absent: list[str]) -> list[str]:
    """All that is wrong with the description.

    :param files: the option ``files`` of node_files.
    :param absent: the option ``absent``.
    :returns: one sentence each; empty if all is well.
    """
    errors = []
    paths = [file["path"] for file in files]
    for path in [*paths, *absent]:
        if not path.startswith("/"):
            errors.append(f"{path}: the path must begin with /.")
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


def wanted_sha256(file: dict) -> str:
    """Digest that the file at the path must have."""
    if file["content"] is None:
        return file["sha256"].lower()
    return hashlib.sha256(file["content"].encode()).hexdigest()


def differs(file: dict, found: Found) -> bool:
    """Whether the path must be written: content, mode or owner are not as described."""
    return found.sha256 != wanted_sha256(file) or found.mode != int(file["mode"], 8) or not found.owned


def diff(file: dict, found: Found) -> dict[str, str]:
    """The difference as Ansible shows it: text as text, secrets and binaries by digest only."""
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


def by_url(files: list[dict]) -> dict[str, list[dict]]:
    """Group files by what they are downloaded from, so that each archive is fetched once."""
    groups: dict[str, list[dict]] = {}
    for file in files:
        groups.setdefault(file["url"], []).append(file)
    return groups
