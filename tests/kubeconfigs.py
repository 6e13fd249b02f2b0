# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Kubeconfigs for tests."""

from pathlib import Path
from typing import Any

import yaml


def config(server: str, user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    """Contexts `one` (the current one, of that user) and `two` (of a user with token `other`) for a server."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}, {"name": "other", "user": {"token": "other"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "other"}},
        ],
    }


def write(directory: Path, content: Any) -> str:
    """Write it to a file of the directory and return its path."""
    (directory / "kubeconfig").write_text(yaml.safe_dump(content))
    return str(directory / "kubeconfig")
