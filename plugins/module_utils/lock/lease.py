# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which run holds the Lease of a cluster, and the content of the Lease. Pure.

It replaces kubernetes.leaderelection, whose LeaseLock never deletes a Lease and which takes over an expired one only
after watching it for its whole duration, because it compares the clock of the controller and not of the API server.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

NAMESPACE, NAME = "kube-system", "opendata-platform-fleet"
LIST = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
PATH = f"{LIST}/{NAME}"
HOLDER, COMMAND = "opendata.platform/holder", "opendata.platform/command"
# A run renews three times before its Lease expires.
SECONDS = 30

Lease = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run.

    identity: unique to the run, starts with that of its controller; controller: one of a fleet on a machine, which the
    local lock allows one run at a time; who: user, host and process.
    """

    identity: str
    controller: str
    who: str
    command: str


def is_free(lease: Lease | None, run: Run, now: datetime.datetime) -> bool:
    """Whether the run may take the Lease: it has no holder, has expired, or its holder is an earlier run here."""
    holder = (lease or {}).get("spec", {}).get("holderIdentity") or ""
    return not holder or holder.startswith(f"{run.controller}/") or now > end(lease or {})


def taken(lease: Lease | None, run: Run, now: datetime.datetime, seconds: int) -> Lease:
    """The Lease as the run writes it.

    :param lease: the Lease that was read; None when there is none.
    :param seconds: duration until it expires.
    """
    spec = (lease or {}).get("spec", {})
    since = spec["acquireTime"] if spec.get("holderIdentity") == run.identity else _text(now)
    metadata = {"name": NAME, "namespace": NAMESPACE, "annotations": {HOLDER: run.who, COMMAND: run.command}}
    if lease:
        # The write fails with a conflict if another run wrote the Lease meanwhile.
        metadata["resourceVersion"] = lease["metadata"]["resourceVersion"]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": run.identity,
            "acquireTime": since,
            "renewTime": _text(now),
            "leaseDurationSeconds": seconds,
        },
    }


def end(lease: Lease) -> datetime.datetime:
    """When the Lease expires; one second later, because the Date header has whole seconds."""
    spec = lease.get("spec", {})
    renewed = spec.get("renewTime") or "1970-01-01T00:00:00Z"
    seconds = (spec.get("leaseDurationSeconds") or 0) + 1
    return datetime.datetime.fromisoformat(renewed) + datetime.timedelta(seconds=seconds)


def refusal(cluster: str, lease: Lease, now: datetime.datetime) -> str:
    """The message of a refused run."""
    spec, notes = lease["spec"], lease["metadata"].get("annotations") or {}
    begin = spec.get("acquireTime")
    since = _shown(datetime.datetime.fromisoformat(begin)) if begin else "an unknown time"
    who, command = notes.get(HOLDER) or spec["holderIdentity"], notes.get(COMMAND) or "an unknown command"
    left = max(0, round((end(lease) - now).total_seconds()))
    return (
        f"Cluster {cluster} is in use by {who}, since {since}: {command} (Lease {NAMESPACE}/{NAME}). "
        "Wait until that run has ended, or stop it. "
        f"If that run is dead, the Lease expires in {left} seconds, at {_shown(end(lease))}."
    )


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _shown(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
