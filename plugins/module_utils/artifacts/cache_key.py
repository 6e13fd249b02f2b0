# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keys of artifacts: they change with the recipe. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

# Version of the builder by kind, 1 if not listed: raise it when the builder's output changes for the same recipe.
BUILDERS: dict[str, int] = {}
# What does not change the result.
NOT_IN_KEY = ("seconds",)


def content_key(value: Any, sources: dict[str, bytes], needs: dict[str, str]) -> str:
    """Return the key (64 hex digits) of the result of a recipe.

    :param value: the recipe as plain data.
    :param sources: relative path to content of each source file.
    :param needs: key by name of each artifact that the recipe uses.
    """
    recipe = {k: v for k, v in value.items() if k not in NOT_IN_KEY} if isinstance(value, dict) else value
    builder = BUILDERS.get(value.get("kind", ""), 1) if isinstance(value, dict) else 1
    digest = hashlib.sha256()
    digest.update(json.dumps([builder, recipe, needs], sort_keys=True).encode())
    for path in sorted(sources):
        digest.update(f"\0{path}\0{hashlib.sha256(sources[path]).hexdigest()}".encode())
    return digest.hexdigest()


def directory_name(name: str, key: str) -> str:
    """Return the name of an artifact's directory in the store: its name and 12 digits of its key."""
    return f"{name}-{key[:12]}"


def files_digest(files: dict[str, dict[str, Any]]) -> str:
    """Return one sha256 (hex) over the files of an artifact.

    A single file's digest is its own sha256, so that ``sha256sum`` can check it.
    """
    if len(files) == 1:
        return str(next(iter(files.values()))["sha256"])
    lines = "".join(f"{files[path]['sha256']}  {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def pinned_version(go_mod: str, module: str) -> str:
    """Return the version of a module that a go.mod requires, "" if it does not."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    return found.group(1) if found else ""


def version_errors(table: dict[str, dict[str, Any]], go_mod: Callable[[str], str]) -> list[str]:
    """Return findings where a version of the table differs from the go.mod of its build.

    :param go_mod: returns the text of the go.mod in a source directory.
    """
    findings = []
    for name, entry in table.items():
        build = entry.get("build") or {}
        if not build.get("module"):
            continue
        module, wanted = build["module"], str(build.get("module_version", entry["version"])).removeprefix("v")
        pinned = pinned_version(go_mod(build["source"]), module)
        if pinned.removeprefix("v") != wanted:
            findings.append(
                f"artifacts_versions: {name} is {wanted}, but {build['source']}/go.mod pins {module} "
                f"{pinned or 'not at all'}. Set both to the same version (go get {module}@v{wanted})."
            )
    return findings
