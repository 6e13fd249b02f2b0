# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Read the checksums that releases publish, in every format that the upstream projects use. No I/O."""

from __future__ import annotations

import contextlib
import json
import re

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

ALGORITHMS = {64: "sha256", 128: "sha512"}
HEX = re.compile(r"^[0-9a-f]+$")


class ChecksumError(ValueError):
    """The published text has no checksum of the requested file."""


def published_checksum(text: str, filename: str) -> str:
    """Return ``sha256:<hex>`` or ``sha512:<hex>`` of a file, as its release publishes it.

    The text is a digest, lines of ``sha256sum`` (also with ``*`` or a path before the name), the index of a Helm
    repository or a release of the GitHub API.

    :raises ChecksumError: if the file is not listed, or listed with two digests.
    """
    if text.lstrip().startswith("{"):
        found = _from_release(text, filename)
    elif text.lstrip().startswith(("apiVersion:", "entries:")):
        found = _from_index(text, filename)
    else:
        found = _from_lines(text, filename)
    if len(found) != 1:
        shown = ", ".join(sorted(found)) if found else text.strip()[:120] or "nothing"
        raise ChecksumError(f"it does not have exactly one checksum of {filename}: {shown}")
    return found.pop()


def _tagged(value: str) -> str:
    """Return a digest with its algorithm as a prefix, "" if it is none."""
    digest = value.strip().lower().rpartition(":")[2]
    return f"{ALGORITHMS[len(digest)]}:{digest}" if len(digest) in ALGORITHMS and HEX.match(digest) else ""


def _from_lines(text: str, filename: str) -> set[str]:
    """Return the digests of a file in lines of ``digest  name``, or the only digest."""
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return {_tagged(lines[0][0])} - {""}
    named = [pair for pair in lines if len(pair) == 2]
    return {_tagged(digest) for digest, name in named if name.strip().lstrip("*").rpartition("/")[2] == filename} - {""}


def _from_release(text: str, filename: str) -> set[str]:
    """Return the digests of a file among the assets of a GitHub release."""
    try:
        assets = json.loads(text).get("assets", [])
    except (ValueError, AttributeError) as error:
        raise ChecksumError(f"not a release in JSON: {error}") from error
    return {_tagged(str(asset.get("digest") or "")) for asset in assets if asset.get("name") == filename} - {""}


def _from_index(text: str, filename: str) -> set[str]:
    """Return the digests of a chart's archive in a Helm repository's index."""
    try:
        entries = (yaml.safe_load(text) or {}).get("entries", {})
    except yaml.YAMLError as error:
        raise ChecksumError(f"not an index in YAML: {error}") from error
    releases = [release for chart in entries.values() for release in chart]
    return {
        _tagged(str(release.get("digest") or ""))
        for release in releases
        if any(url.rpartition("/")[2] == filename for url in release.get("urls", []))
    } - {""}
