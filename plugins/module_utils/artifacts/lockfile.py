# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the lock of a fleet's artifacts says, and what it refuses. No I/O.

The lock holds, for each binary, image and file, its origin, version and digest; for what was downloaded
also the checksum that the release published when it was seen first.
"""

from __future__ import annotations

from typing import Any

import yaml

HEADER = "# Written by role artifacts: origin and digest of each artifact of this fleet.\n"
KINDS = ("binaries", "files", "images")


def read(text: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a lock file by name.

    :raises ValueError: when the text is not a lock.
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


def render(facts: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the lock's text: sorted, so that the same artifacts give the same bytes."""
    kept = {kind: {name: dict(sorted(entry.items())) for name, entry in facts[kind].items()} for kind in KINDS}
    return HEADER + yaml.safe_dump(kept, sort_keys=True, width=200)


def refused_builds(entries: dict[str, dict[str, Any]], path: str, inventory: str) -> list[str]:
    """Return one finding when a lock brings built artifacts to a fleet that must not have any."""
    names = sorted(name for name, entry in entries.items() if entry["origin"] == "build")
    if not names:
        return []
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return [
        f"{path} says 'origin: build' for {shown}, but artifacts_build_allowed is false in {inventory}: "
        f"what was built at home never reaches such a fleet. "
        f"Remove {path} and run again with artifacts_source: download."
    ]


def changed_release(name: str, old: dict[str, Any] | None, new: dict[str, Any], url: str, path: str) -> list[str]:
    """Return findings when a release of the same version is not what the lock remembers.

    :param old: the lock's entry, or None.
    :param new: what the release shows now; holds ``version`` and ``checksum`` or ``digest`` or both.
    """
    if not old or old.get("origin") != "download" or old.get("version") != new["version"]:
        return []
    findings = []
    for field, words in (("checksum", "published checksum"), ("digest", "digest of the file")):
        before, now = old.get(field), new.get(field)
        if before and now and before != now:
            findings.append(
                f"{name} {new['version']}: the {words} changed after it was locked. "
                f"{url} gives {now}, {path} holds {before}. "
                f"Nothing was installed. Ask upstream why the release changed; if you trust the new one, "
                f"remove the entry {name} from {path} and run again."
            )
    return findings
