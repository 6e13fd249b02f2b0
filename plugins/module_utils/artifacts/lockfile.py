# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fact ``artifacts``, and the lock of a fleet's artifacts. No I/O.

The lock has the origin, version and digest of each binary, image and file; of downloads also the checksum that the
release published at first.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from .plan import Choice, version_of
from .store import directory_name

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

HEADER = "# Written by role artifacts: origin and digest of each artifact of this fleet.\n"
KINDS = ("binaries", "files", "images")
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


def read(text: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a lock by name.

    :raises ValueError: if the text is not a lock.
    """
    data = yaml.safe_load(text) or {}
    if not isinstance(data, dict) or not set(data) <= set(KINDS):
        raise ValueError(f"expected the keys {', '.join(KINDS)}")
    entries: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        for name, entry in (data.get(kind) or {}).items():
            if not isinstance(entry, dict) or not isinstance(entry.get("origin"), str):
                raise ValueError(f"{kind}.{name} has no origin")
            entries[name] = entry
    return entries


def render(facts: Facts) -> str:
    """Return the text of a lock, sorted, so that the same artifacts give the same bytes."""
    kept = {kind: {name: dict(sorted(entry.items())) for name, entry in facts[kind].items()} for kind in KINDS}
    return HEADER + yaml.safe_dump(kept, sort_keys=True, width=200)


def refused_builds(entries: dict[str, dict[str, Any]], path: str, inventory: str) -> list[str]:
    """Return a finding if the lock of a fleet that may not use built artifacts has some."""
    names = sorted(name for name, entry in entries.items() if entry["origin"] == "build")
    if not names:
        return []
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return [
        f"{path} has 'origin: build' for {shown}, but artifacts_build_allowed is false in {inventory}: this fleet may "
        f"not use artifacts that were built locally. Remove {path} and run again with artifacts_source: download."
    ]


def changed_release(name: str, old: dict[str, Any] | None, new: dict[str, Any], url: str, path: str) -> list[str]:
    """Return findings if a release has changed without a new version.

    :param old: the entry of the lock, or None.
    :param new: the current release: ``version``, and ``checksum`` or ``digest`` or both.
    """
    if not old or old.get("origin") != "download" or old.get("version") != new["version"]:
        return []
    findings = []
    for field, words in (("checksum", "published checksum"), ("digest", "digest of the file")):
        before, now = old.get(field), new.get(field)
        if before and now and before != now:
            findings.append(
                f"{name} {new['version']}: the {words} changed after it was locked. "
                f"{url} has {now}, {path} has {before}. "
                f"Nothing was installed. Ask upstream why the release changed; if you trust the new release, "
                f"remove the entry {name} from {path} and run again."
            )
    return findings
