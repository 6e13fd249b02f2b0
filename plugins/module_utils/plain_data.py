# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Values of Ansible as plain Python data. Pure."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """The value in types that YAML can write: Ansible's strings and mappings carry tags with their origin."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    kinds = [kind for kind in (str, bool, int, float) if isinstance(value, kind)]
    return kinds[0](value) if kinds else value
