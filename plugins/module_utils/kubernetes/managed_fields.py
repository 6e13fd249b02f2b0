# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Decide from an object's managedFields whether an apply could change anything.

The server notes for each field who set it last. A field that we want and that is ours and has our value needs no
request; anything else (another owner, a default, a quantity in another spelling) is left to the server's dry run.
So a wrong "no" costs one read-only request, and there is no wrong "yes"."""

from __future__ import annotations

import json
from typing import Any

Fields = dict[str, Any]


def owned_fields(live: dict[str, Any], manager: str) -> Fields | None:
    """Return fieldsV1 of what the manager applied to this object at its API version, None if nothing."""
    for entry in live["metadata"].get("managedFields") or []:
        mine = entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
        if mine and entry.get("apiVersion") == live.get("apiVersion"):
            return dict(entry.get("fieldsV1") or {}) or None
    return None


def is_current(desired: dict[str, Any], live: dict[str, Any], manager: str) -> bool:
    """Return True only if the manager owns exactly the desired fields and each has the desired value."""
    fields = owned_fields(live, manager)
    if fields is None or desired["apiVersion"] != live.get("apiVersion"):
        return False
    wanted = {key: value for key, value in desired.items() if key not in ("apiVersion", "kind")}
    wanted["metadata"] = {key: value for key, value in desired["metadata"].items() if key not in ("name", "namespace")}
    if not wanted["metadata"]:
        del wanted["metadata"]
    return _same(wanted, live, fields)


def _same(desired: Any, live: Any, fields: Fields) -> bool:
    """Compare one value with the live one along the fields that are owned below it."""
    below = {key: value for key, value in fields.items() if key != "."}
    if not below:  # a scalar, or a list or map that is replaced as a whole
        return bool(desired == live)
    if isinstance(desired, dict) and isinstance(live, dict):
        return below.keys() == {f"f:{key}" for key in desired} and all(
            key in live and _same(value, live[key], below[f"f:{key}"]) for key, value in desired.items()
        )
    if isinstance(desired, list) and isinstance(live, list) and len(below) == len(desired):
        return _same_items(desired, live, below)
    return False


def _same_items(desired: list[Any], live: list[Any], below: Fields) -> bool:
    """Compare a list whose items the server knows by key (``k:``) or by value (``v:``)."""
    for path, fields in below.items():
        kind, _colon, text = path.partition(":")
        identity = json.loads(text)
        if kind == "v" and not (identity in desired and identity in live):
            return False
        if kind == "k":
            # A key that the manifest leaves out (protocol of a port) has the server's default.
            ours = [item for item in desired if all(item.get(key, value) == value for key, value in identity.items())]
            theirs = [item for item in live if all(item.get(key) == value for key, value in identity.items())]
            if len(ours) != 1 or len(theirs) != 1 or not _same(ours[0], theirs[0], fields):
                return False
    return True
