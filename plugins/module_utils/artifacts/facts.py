# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fact ``artifacts`` and the entries of the lock, from choices and manifests. No I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .cache_key import directory_name
from .plan import Choice, version_of

Facts = dict[str, dict[str, dict[str, Any]]]


def collect(
    table: dict[str, dict[str, Any]],
    choices: dict[str, Choice],
    manifests: dict[str, dict[str, Any]],
    paths: dict[str, Path],
) -> Facts:
    """Return binaries, images and files by name; digests are "" for what is only planned (check mode).

    A binary of an entry NAME@VERSION, an additional version of NAME, is called BINARY@VERSION.

    :param manifests: by name, only of artifacts that exist.
    :param paths: the directory of each artifact.
    """
    facts: Facts = {"binaries": {}, "images": {}, "files": {}}
    for name, choice in choices.items():
        entry, manifest = table[name], manifests.get(name, {})
        files = manifest.get("files", {})
        common = {"origin": choice.origin, "version": version_of(entry, choice.origin)}
        releases = entry.get("download") or {}
        for binary in entry.get("binaries", []):
            release = releases[binary] if choice.origin == "download" else {}
            facts["binaries"][binary + further(name)] = {
                **common,
                "path": f"{directory_name(name, choice.key)}/{binary}",
                "sha256": files.get(binary, {}).get("sha256", ""),
                "url": release.get("url", ""),
                "member": release.get("member", ""),
            }
        if image := entry.get("image"):
            facts["images"][image] = {**common, "digest": manifest.get("digest", "")}
        if file := entry.get("file"):
            inside = file if choice.origin == "download" else entry.get("path", "")
            digest = files.get(inside, {}).get("sha256") or manifest.get("digest", "").removeprefix("sha256:")
            facts["files"][file] = {
                **common,
                "path": str(paths[name] / inside) if inside else str(paths[name]),
                "sha256": digest,
                "key": choice.key,
            }
    return facts


def lock_entries(facts: Facts, manifests: dict[str, dict[str, Any]]) -> Facts:
    """Return the entries of the lock: origin, version and digest, of downloads also URL and checksum."""
    checksums = {
        binary + further(name): value
        for name, manifest in manifests.items()
        for binary, value in manifest.get("checksums", {}).items()
    }
    kept: Facts = {"binaries": {}, "images": {}, "files": {}}
    for kind, entries in facts.items():
        for name, entry in entries.items():
            digest = entry.get("digest") or f"sha256:{entry['sha256']}"
            kept[kind][name] = {"origin": entry["origin"], "version": entry["version"], "digest": digest}
            if entry["origin"] == "download":
                kept[kind][name].update({"url": entry["url"]} if entry.get("url") else {})
                kept[kind][name].update({"checksum": checksums[name]} if name in checksums else {})
    return kept


def further(name: str) -> str:
    """Return "@VERSION" of an entry NAME@VERSION, "" of any other."""
    return "".join(name.partition("@")[1:])
