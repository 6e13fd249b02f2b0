# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The state of each object of Flux: ready or not, why, what it requires, waits for and belongs to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..kubernetes.health import condition

Object = dict[str, Any]
WAITING = ("DependencyNotReady", "SourceNotReady", "HealthCheckCanceled")
_NOT_TAKEN_UP = "its last change has not been observed yet"
# Kustomizations first: what they applied is there when the others are read after them.
GROUPS = {
    "Kustomization": "kustomize.toolkit.fluxcd.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "OCIRepository": "source.toolkit.fluxcd.io",
    "GitRepository": "source.toolkit.fluxcd.io",
    "HelmRepository": "source.toolkit.fluxcd.io",
    "HelmChart": "source.toolkit.fluxcd.io",
    "Bucket": "source.toolkit.fluxcd.io",
}
# Reasons of failures before anything was applied.
_NO_PODS = (*WAITING, "ArtifactFailed", "BuildFailed", "ReconciliationFailed", "ValuesError", "InvalidCELExpression")
_NO_FLUX = "the cluster serves no Kustomizations, Flux is not installed"
_NO_USER = "no Kustomization uses it yet"


_OWNERS = (("kustomize.toolkit.fluxcd.io", "Kustomization"), ("helm.toolkit.fluxcd.io", "HelmRelease"))
# As the controllers write in the message of a failed health check.
_NAMED = re.compile(r"[A-Za-z0-9]+/(?P<namespace>[^/\s]+)/(?P<name>[^/\s]+) status: '")


class Key(NamedTuple):
    """What names an object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class State(NamedTuple):
    """The state of one object: ready, waiting, failed or suspended; reason is what is missing."""

    key: Key
    state: str
    reason: str
    code: str
    """Reason of its condition Ready, in one word."""
    revision: str
    attempt: tuple[int, str]
    """Generation and wanted revision: a failure of another attempt is history."""
    failing: bool
    waits_for: tuple[Key, ...] = ()
    is_blocked: bool = False
    """It cannot begin, because something that it requires is not ready."""
    item: Object = {}  # noqa: RUF012 (never altered)


def judge(
    found: Mapping[str, list[Object]], revision: str = "", source: str = "platform", namespace: str = "flux-system"
) -> list[State]:
    """Return the state of each object, by kind; revision is what comes from the source has to be at."""
    items = {key_of(kind, item): item for kind in GROUPS for item in found.get(kind, [])}
    published = {Key(kind, namespace, source) for kind in ("OCIRepository", "GitRepository")} if revision else set()
    # A source that nothing uses, such as a former one, need not have the revision.
    taken = published & {source_of(key, item) for key, item in items.items() if key.kind == "Kustomization"}
    wanted = {key: _wanted(key, item, items, taken, revision) for key, item in items.items()}
    states = {key: _state(key, item, wanted[key]) for key, item in items.items()}
    unhealthy = {key for key, state in states.items() if state.reason}
    for key, state in states.items():
        required, held = required_by(key, state.item) & unhealthy, held_by(key, state.item) & unhealthy
        waits_for = tuple(sorted((required | held) - {key})) if state.reason else ()
        states[key] = state._replace(waits_for=waits_for, is_blocked=bool(required))
    for key, state in states.items():
        if state.state == "waiting" and _is_final(states, key):
            states[key] = state._replace(state="failed")
    result = sorted(states.values(), key=lambda state: ([*GROUPS].index(state.key.kind), state.key))
    users = [key for key, item in items.items() if key.kind == "Kustomization" and source_of(key, item) in published]
    if published and not users:
        how = ("waiting", _NO_USER) if "Kustomization" in found else ("failed", _NO_FLUX)
        result.append(State(Key("Source", namespace, source), *how, "", "", (0, revision), False))
    return result


def _wanted(key: Key, item: Object, items: dict[Key, Object], published: set[Key], revision: str) -> str:
    """Return the revision that an object has to be at, empty for any."""
    if key in published:
        return revision
    if key.kind != "Kustomization":
        return ""
    taken = source_of(key, item)
    return revision if taken in published else revision_of(taken, items.get(taken, {}))


def _state(key: Key, item: Object, wanted: str) -> State:
    ready, generation = condition(item, "Ready"), item["metadata"].get("generation", 0)
    reason = lack(key, item, wanted)
    state = "waiting" if reason else "ready"
    if (item.get("spec") or {}).get("suspend"):
        state = "suspended"
    failing = bool(reason) and has_failed(ready, item, wanted)
    code, revision = str(ready.get("reason", "")), revision_of(key, item)
    return State(key, state, reason, code, revision, (generation, wanted), failing, item=item)


def _is_final(states: dict[Key, State], key: Key) -> bool:
    """Return whether its controller gave up on the wanted revision, not on an earlier one."""
    stalled = condition(states[key].item, "Stalled")
    if stalled.get("status") != "True" or not is_current(stalled, states[key].item):
        return False
    seen, owner = {key}, owner_of(states[key].item)
    while owner in states and owner not in seen:
        if not _has_applied(states[owner]):
            return False
        seen.add(owner)
        owner = owner_of(states[owner].item)
    return True


def _has_applied(state: State) -> bool:
    """Return whether an owner has applied its objects as they are wanted now."""
    ready, status, wanted = condition(state.item, "Ready"), state.item.get("status") or {}, state.attempt[1]
    if not ready or not is_current(ready, state.item):
        return False
    if state.key.kind != "Kustomization" or wanted in ("", status.get("lastAppliedRevision")):
        return True
    checks = str(condition(state.item, "Reconciling").get("message", "")).startswith("Running health checks")
    return status.get("lastAttemptedRevision") == wanted and (checks or ready.get("reason") == "HealthCheckFailed")


def runs_pods(state: State) -> bool:
    """Return whether what lacks may be the health of pods: they were applied, and no other object is waited for."""
    return not state.waits_for and state.key.kind in ("Kustomization", "HelmRelease") and state.code not in _NO_PODS


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
    """Return whether the controller tried the wanted revision and failed; waiting for others is not a failure."""
    if ready.get("status") != "False" or not is_current(ready, item) or ready.get("reason") in WAITING:
        return False
    if ready.get("reason") == "ArtifactFailed":
        return "etrying in" not in str(ready.get("message"))
    return wanted in ("", (item.get("status") or {}).get("lastAttemptedRevision"))


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


def key_of(kind: str, item: Object) -> Key:
    """Return the key of an object."""
    return Key(kind, item["metadata"]["namespace"], item["metadata"]["name"])


def source_of(key: Key, item: Object) -> Key:
    """Return what a Kustomization, HelmRelease or HelmChart is made from; itself for what has no such."""
    spec, namespace = item.get("spec") or {}, key.namespace
    if key.kind == "HelmRelease" and "chart" in spec:
        ref = spec["chart"]["spec"]["sourceRef"]
        return Key("HelmChart", ref.get("namespace") or namespace, f"{namespace}-{key.name}")
    ref = spec.get("chartRef" if key.kind == "HelmRelease" else "sourceRef")
    return Key(ref["kind"], ref.get("namespace") or namespace, ref["name"]) if ref else key


def required_by(key: Key, item: Object) -> set[Key]:
    """Return what must be ready before the object's controller begins."""
    depends = (item.get("spec") or {}).get("dependsOn") or []
    others = {Key(key.kind, each.get("namespace") or key.namespace, each["name"]) for each in depends}
    return others | ({source_of(key, item)} - {key})


def held_by(key: Key, item: Object) -> set[Key]:
    """Return what a Kustomization checks the health of after it applied."""
    if key.kind != "Kustomization":
        return set()
    if not item["spec"].get("wait"):
        checks = item["spec"].get("healthChecks") or []
        return {Key(each["kind"], each.get("namespace") or key.namespace, each["name"]) for each in checks}
    return {Key(kind, namespace, name) for namespace, name, kind in inventory(item)}


def inventory(item: Object) -> list[tuple[str, str, str]]:
    """Return namespace, name and kind of what was applied; an id is <namespace>_<name>_<group>_<kind>."""
    entries = ((item.get("status") or {}).get("inventory") or {}).get("entries") or []
    parts = [each["id"].split("_") for each in entries]
    return [(part[0], "_".join(part[1:-2]), part[-1]) for part in parts]


def owner_of(item: Object) -> Key | None:
    """Return the Kustomization or HelmRelease that made an object."""
    labels = item["metadata"].get("labels") or {}
    for group, kind in _OWNERS:
        if f"{group}/name" in labels:
            return Key(kind, labels.get(f"{group}/namespace", ""), labels[f"{group}/name"])
    return None


def workloads(key: Key, item: Object, reason: str) -> dict[str, set[str]]:
    """Return the namespaces in which to look for pods that fail, each with the objects that the reason names."""
    found: dict[str, set[str]] = {}
    for match in _NAMED.finditer(reason):
        found.setdefault(match["namespace"], set()).add(match["name"])
    if not found:
        found = {namespace: set() for namespace, _name, _kind in inventory(item) if namespace}
    if not found and key.kind == "HelmRelease":
        found = {item["spec"].get("targetNamespace") or key.namespace: set()}
    return found
