# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which run holds the Lease of a cluster, and what it looks like. Pure.

All times are the API server's: two controllers whose clocks differ compare nothing of their own, and whether a Lease
has ended is known at once. client-go's leader election would have to watch it for its whole duration first.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

NAMESPACE, NAME = "kube-system", "opendata-platform-fleet"
LIST = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
PATH = f"{LIST}/{NAME}"
HOLDER, COMMAND = "opendata.platform/holder", "opendata.platform/command"
# A run renews three times before its Lease ends.
SECONDS = 30

Lease = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run.

    identity: no other run's, and below that of its controller; controller: its other runs on this fleet are known to be
    dead; who: user, host and process.
    """

    identity: str
    controller: str
    who: str
    command: str


def is_free(lease: Lease | None, run: Run, now: datetime.datetime) -> bool:
    """Whether the run may hold the Lease: nobody else does, or the holder is dead or silent for too long."""
    holder = (lease or {}).get("spec", {}).get("holderIdentity") or ""
    return not holder or holder.startswith(f"{run.controller}/") or now > end(lease or {})


def taken(lease: Lease | None, run: Run, now: datetime.datetime, seconds: int) -> Lease:
    """The Lease as the run writes it, from the one that was read (None: there is none)."""
    spec = (lease or {}).get("spec", {})
    since = spec["acquireTime"] if spec.get("holderIdentity") == run.identity else _text(now)
    metadata = {"name": NAME, "namespace": NAMESPACE, "annotations": {HOLDER: run.who, COMMAND: run.command}}
    if lease:
        # Whoever wrote it since then has the Lease.
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
    """When the Lease ends without its holder; one second later, because servers tell whole seconds."""
    spec = lease.get("spec", {})
    renewed = spec.get("renewTime") or "1970-01-01T00:00:00Z"
    seconds = (spec.get("leaseDurationSeconds") or 0) + 1
    return datetime.datetime.fromisoformat(renewed) + datetime.timedelta(seconds=seconds)


def refusal(cluster: str, lease: Lease, now: datetime.datetime) -> str:
    """The message of a refused run."""
    spec, notes = lease["spec"], lease["metadata"].get("annotations") or {}
    since = (
        _shown(datetime.datetime.fromisoformat(spec["acquireTime"])) if spec.get("acquireTime") else "an unknown time"
    )
    who, command = notes.get(HOLDER) or spec["holderIdentity"], notes.get(COMMAND) or "an unknown command"
    left = max(0, round((end(lease) - now).total_seconds()))
    return (
        f"Cluster {cluster} is in use by {who}, since {since}: {command} (Lease {NAMESPACE}/{NAME}). "
        "Wait until that run has ended, or stop it. "
        f"If it does not live any more, the Lease ends by itself in {left} seconds, at {_shown(end(lease))}."
    )


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _shown(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
