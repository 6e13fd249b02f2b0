# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the status of one object of Flux says. Pure. Private: it may change without notice."""

from __future__ import annotations

from typing import Any

from .dependencies import Key

Object = dict[str, Any]
WAITING = ("DependencyNotReady", "SourceNotReady", "HealthCheckCanceled")
_NOT_TAKEN_UP = "its last change has not been taken up"


def lack(key: Key, item: Object, wanted: str) -> str:
    """Return why an object is not ready, in the words of its condition where it has some."""
    ready, status = condition(item, "Ready"), item.get("status") or {}
    message = " ".join(str(ready.get("message") or ready.get("reason") or "is not ready").split())
    if item["metadata"].get("deletionTimestamp"):
        return f"is being deleted{f': {message}' if ready.get('status') == 'False' else ''}"
    if key.kind == "HelmRepository" and item["spec"].get("type") == "oci":
        return ""  # only an address: nothing is fetched, and nobody writes a status
    if not ready or not is_current(ready, item):
        return _NOT_TAKEN_UP
    if ready["status"] == "False":
        return message
    if ready["status"] != "True":
        return " ".join(str(condition(item, "Reconciling").get("message") or message).split())
    if status.get("observedGeneration") != item["metadata"].get("generation"):
        return _NOT_TAKEN_UP
    if wanted and revision_of(key, item) != wanted:
        return f"is at revision {short(revision_of(key, item)) or 'none'}, not at {short(wanted)}"
    return ""


def has_failed(ready: dict[str, Any], item: Object, wanted: str) -> bool:
    """Return whether the controller tried what is wanted now, and in vain: waiting for others is no failure."""
    if ready.get("status") != "False" or not is_current(ready, item) or ready.get("reason") in WAITING:
        return False
    if ready.get("reason") == "ArtifactFailed":
        return "etrying in" not in str(ready.get("message"))
    return wanted in ("", (item.get("status") or {}).get("lastAttemptedRevision"))


def condition(item: Object, kind: str) -> dict[str, Any]:
    """Return a condition of an object, empty if it has none of that type."""
    found = (item.get("status") or {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def is_current(found: dict[str, Any], item: Object) -> bool:
    generation = item["metadata"].get("generation")
    return bool(found.get("observedGeneration", generation) == generation)


def revision_of(key: Key, item: Object) -> str:
    status = item.get("status") or {}
    if key.kind == "Kustomization":
        return str(status.get("lastAppliedRevision", ""))
    if key.kind == "HelmRelease":
        return str((status.get("history") or [{}])[0].get("chartVersion", ""))
    return str((status.get("artifact") or {}).get("revision", ""))


def short(revision: str) -> str:
    """Return a revision with the first 12 digits of its digest."""
    name, colon, digest = revision.rpartition(":")
    return f"{name}{colon}{digest[:12]}" if colon else revision
