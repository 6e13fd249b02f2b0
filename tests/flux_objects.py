# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects of Flux for tests, with the conditions that its controllers write.

Types, reasons and messages are those of kustomize-controller 1.9, helm-controller 1.6 and source-controller 1.9.
"""

from typing import Any

Object = dict[str, Any]
OLD, NEW = (f"latest@sha256:{digit * 64}" for digit in "01")
PLATFORM = {"kind": "OCIRepository", "name": "platform"}
_API = {"Kustomization": "kustomize.toolkit.fluxcd.io/v1", "HelmRelease": "helm.toolkit.fluxcd.io/v2"}


def made(kind: str, name: str, namespace: str = "flux-system", generation: int = 1, **spec: Any) -> Object:
    """An object that no controller has seen yet; the API server gives it this status."""
    metadata = {"name": name, "namespace": namespace, "generation": generation}
    api = _API.get(kind, "source.toolkit.fluxcd.io/v1")
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec, "status": {"observedGeneration": -1}}


def condition(kind: str, status: str, reason: str, message: str, generation: int = 1) -> Object:
    """One condition."""
    since = {"observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"type": kind, "status": status, "reason": reason, "message": message, **since}


def said(item: Object, *conditions: Object, **status: Any) -> Object:
    """The same object with another status; what is Ready=True is observed."""
    generation = item["metadata"]["generation"]
    conditions = tuple({**each, "observedGeneration": generation} for each in conditions)
    done = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    found = {**({"observedGeneration": generation} if done else {}), "conditions": [*conditions], **status}
    return {**item, "status": {**item["status"], **found}}


def source(revision: str = NEW) -> Object:
    """The platform's source, pulled."""
    item = made("OCIRepository", "platform", interval="1m", url="oci://registry.example/odp/local/north")
    artifact = {"revision": revision, "digest": f"sha256:{'a' * 64}", "path": "p", "url": "http://source/p.tar.gz"}
    artifact |= {"lastUpdateTime": "2026-01-01T00:00:00Z"}
    ready = condition("Ready", "True", "Succeeded", f"stored artifact for digest '{revision}'")
    return said(item, ready, artifact=artifact)


def kustomization(name: str, *requires: str, **spec: Any) -> Object:
    """A service's Kustomization that no controller has seen yet."""
    wanted = {"interval": "5m", "prune": True, "wait": True, "timeout": "300s", "sourceRef": PLATFORM, **spec}
    if requires:
        wanted["dependsOn"] = [{"name": each} for each in requires]
    return made("Kustomization", name, **wanted)


def applied(item: Object, revision: str = NEW, *entries: str) -> Object:
    """A Kustomization that applied a revision and found it healthy."""
    ready = condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}")
    status = {"lastAppliedRevision": revision, "lastAttemptedRevision": revision}
    return said(item, ready, **status, inventory={"entries": [{"id": each, "v": "v1"} for each in entries]})


def checking(item: Object, *entries: str, revision: str = NEW) -> Object:
    """A Kustomization that applied a revision and waits for the health of what it applied."""
    words = f"Running health checks for revision {revision} with a timeout of 5m0s"
    conditions = [
        condition("Reconciling", "True", "Progressing", words),
        condition("Ready", "Unknown", "Progressing", "Reconciliation in progress"),
        condition("Healthy", "Unknown", "Progressing", words),
    ]
    inventory = {"entries": [{"id": each, "v": "v1"} for each in entries]}
    return said(item, *conditions, lastAttemptedRevision=revision, inventory=inventory)


def failed(item: Object, reason: str, message: str, **status: Any) -> Object:
    """An object whose controller failed and will try again."""
    tried = {"lastAttemptedRevision": NEW} if item["kind"] == "Kustomization" else {}
    again = condition("Reconciling", "True", "ProgressingWithRetry", "Building manifests")
    return said(item, again, condition("Ready", "False", reason, message), **{**tried, **status})


def stalled(item: Object, reason: str, message: str) -> Object:
    """An object whose controller gave up."""
    return said(item, condition("Stalled", "True", reason, message), condition("Ready", "False", reason, message))


def blocked(item: Object, on: str) -> Object:
    """A Kustomization whose dependency is not ready."""
    return failed(item, "DependencyNotReady", f"dependency 'flux-system/{on}' is not ready")


def unhealthy(item: Object, *objects: str) -> Object:
    """A Kustomization whose health check took longer than its timeout."""
    named = ", ".join(f"{each} status: 'InProgress'" for each in objects)
    return failed(item, "HealthCheckFailed", f"health check failed after 5m0s: timeout waiting for: [{named}]")


def owned(item: Object, kind: str, name: str, namespace: str = "flux-system") -> Object:
    """The same object with the labels of what made it."""
    group = {"Kustomization": "kustomize", "HelmRelease": "helm"}[kind] + ".toolkit.fluxcd.io"
    labels = {f"{group}/name": name, f"{group}/namespace": namespace}
    return {**item, "metadata": {**item["metadata"], "labels": labels}}


def by_kind(*items: Object) -> dict[str, list[Object]]:
    """Objects as they are listed."""
    found: dict[str, list[Object]] = {"Kustomization": []}
    for item in items:
        found.setdefault(item["kind"], []).append(item)
    return found
