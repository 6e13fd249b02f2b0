# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The kubeconfigs that the fleet keeps. Runs on nodes too, which have no YAML library. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any

Entry = dict[str, Any]


def credentials(kubeconfig: str) -> str:
    """Digest of the certificates and key in a kubeconfig, in any order of its lines; empty if one is missing."""
    pattern = r"^\s*(certificate-authority-data|client-certificate-data|client-key-data): (\S+)$"
    found = sorted(set(re.findall(pattern, kubeconfig, re.MULTILINE)))
    return hashlib.sha256(repr(found).encode()).hexdigest() if len(found) == 3 else ""


def document(name: str, cluster: Entry, user: Entry, context: Entry | None = None) -> Entry:
    """A kubeconfig with one context; it, its cluster and its user have the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {**(context or {}), "cluster": name, "user": name}}],
        "current-context": name,
    }
