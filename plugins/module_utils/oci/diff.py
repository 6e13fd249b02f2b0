# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What changes in a registry, to be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from ..kubernetes import manifests


def digests(reference: str, before: str, after: str) -> dict[str, str]:
    """Return the entry of Ansible's diff mode for the artifact as a whole."""
    return _entry(reference, *(f"{digest}\n" if digest else "" for digest in (before, after)))


def trees(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """Return one entry of Ansible's diff mode for each file that differs; data of Secrets as digests."""
    paths = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    return [_entry(path, _shown(before.get(path, "")), _shown(after.get(path, ""))) for path in paths]


def _entry(name: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _shown(text: str) -> str:
    """Return the text as it is, unless it holds a Secret; a text that cannot be judged as its digest."""
    try:
        documents = manifests.load(text)
        if not any(_is_secret(each) for each in documents):
            return text
        return yaml.safe_dump_all([manifests.redact(each) for each in documents])
    except (ValueError, TypeError, AttributeError):
        return f"not YAML that can be shown, sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}\n"


def _is_secret(document: Any) -> bool:
    return isinstance(document, dict) and document.get("kind") == "Secret"
