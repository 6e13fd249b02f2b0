# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Decide where each artifact comes from and whether it has to be downloaded or built. No I/O.

An entry of the table provides ``binaries``, a ``file``, an ``image`` or, if only other builds use it, nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

SOURCES = ("auto", "download", "build")
# Version of the builder by kind, 1 if not listed: raise it when the builder's output changes for the same recipe.
BUILDERS: dict[str, int] = {}
# What does not change the result.
NOT_IN_KEY = ("seconds",)


@dataclass(frozen=True)
class Choice:
    """Origin of an artifact (``download`` or ``build``), its key, and whether it is in the store."""

    name: str
    origin: str
    key: str
    present: bool = False


def source_errors(source: str, build_allowed: bool, inventory: str) -> list[str]:
    """Return findings about ``artifacts_source`` and ``artifacts_build_allowed``."""
    if source not in SOURCES:
        return [f"artifacts_source is '{source}' in {inventory}; it must be one of {', '.join(SOURCES)}."]
    if source != "download" and not build_allowed:
        return [
            f"artifacts_source is '{source}' in {inventory}, but artifacts_build_allowed is false: only trial fleets "
            "(inventories/local) may use artifacts that were built locally. Set artifacts_source: download."
        ]
    return []


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


def version_of(entry: dict[str, Any], origin: str) -> str:
    """Return the version of an artifact; that of a build may differ from the release (runc of Debian)."""
    return str((entry.get("build", {}).get("version") if origin == "build" else "") or entry.get("version", ""))


def release_host(entry: dict[str, Any], registries: dict[str, str]) -> str:
    """Return scheme and host of an entry's release, "" if it has none."""
    if not entry.get("download"):
        return ""
    if entry.get("image"):
        return registry_url(entry["image"], registries)
    parts = urlsplit(next(iter(entry["download"].values()))["url"])
    return f"{parts.scheme}://{parts.netloc}"


def registry_url(image: str, registries: dict[str, str]) -> str:
    """Return the base URL of an image's registry; ``registries`` replaces the URL of a host."""
    host = image.partition("/")[0]
    return registries.get(host, f"https://{host}").rstrip("/")


class Plan:
    """The choices for the artifacts of a table."""

    def __init__(
        self,
        table: dict[str, dict[str, Any]],
        source: str,
        build_allowed: bool,
        sources: Callable[[str], dict[str, bytes]],
        present: Callable[[str, str, str], bool],
        registries: dict[str, str] | None = None,
        unwanted: Collection[str] = (),
    ) -> None:
        """Create a plan.

        :param sources: returns the files of a recipe by path.
        :param present: returns whether the artifact (name, origin, key) is in the store.
        :param unwanted: entries that this fleet does not use itself.
        """
        self.table, self.source, self.build_allowed = table, source, build_allowed
        # The others are only used by builds.
        given = [name for name, entry in table.items() if any(map(entry.get, ("binaries", "file", "image")))]
        self.wanted = [name for name in given if name not in unwanted]
        self.sources, self.present, self.registries = sources, present, registries or {}
        self.answers: dict[str, bool] = {}
        self.chosen: dict[str, Choice | None] = {}
        self.seen: dict[Choice, bool] = {}

    def hosts_in_question(self) -> list[str]:
        """Return the release hosts that matter: those of artifacts that are neither built nor downloaded yet."""
        if self.source != "auto":
            return []
        wanted = [name for name in self.wanted if self.table[name].get("download")]
        wanted = [name for name in wanted if not {"beside", "own"} & self.table[name].keys()]
        found = {
            release_host(self.table[name], self.registries)
            for name in wanted
            if not (choice := self.choose(name)) or not self._there(choice)
        }
        self.chosen.clear()
        return sorted(found)

    def choose(self, name: str) -> Choice | None:
        """Return the choice for an artifact; None if this fleet does not use it or may not build it."""
        if name not in self.chosen:
            self.chosen[name] = self._choose(name)
        return self.chosen[name]

    def _choose(self, name: str) -> Choice | None:
        entry = self.table[name]
        build = entry.get("build") if self.build_allowed else None
        released = built = None
        if entry.get("download") and self.source in (["download"] if entry.get("own") else ["download", "auto"]):
            released = Choice(name, "download", content_key(entry.get("image") or entry["download"], {}, {}))
            if self.source == "download" or self._there(released):
                return released
            if "beside" in entry:
                beside = self.choose(entry["beside"])
                return released if beside and beside.origin == "download" else None
        if build:
            needs = {need: chosen.key for need in entry.get("needs", []) if (chosen := self.choose(need))}
            built = Choice(name, "build", content_key(build, self.sources(name), needs))
        if released and self.answers.get(release_host(entry, self.registries)) and not (built and self._there(built)):
            return released
        return built

    def _there(self, choice: Choice) -> bool:
        """Return whether an artifact is in the store; cached, because some have thousands of files."""
        if choice not in self.seen:
            self.seen[choice] = self.present(choice.name, choice.origin, choice.key)
        return self.seen[choice]

    def all(self) -> dict[str, Choice]:
        """Return the choices for the artifacts of the fleet, and for those that their due builds use."""
        found: dict[str, Choice] = {}

        def add(name: str) -> None:
            choice = self.choose(name)
            if choice is None or name in found:
                return
            found[name] = replace(choice, present=self._there(choice))
            if choice.origin == "build" and not found[name].present:
                for need in self.table[name].get("needs", []):
                    add(need)

        for name in self.wanted:
            add(name)
        return found
