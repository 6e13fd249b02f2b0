# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Takes, renews and releases the Leases of a run, one for each cluster, in a process of its own.

It is not a thread, because ansible-playbook forks for each task: a fork during a TLS request would leave the child with
locks that are never released. It reads one JSON object per line and answers each with `{"refused": [...]}`. It writes
the same when a Lease is lost, and releases all of them when its input or its parent ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kubernetes.client import ApiError, Cluster, Unreachable
from . import lease as pure

CONFLICT = 409
# How often to check for the end of the parent, whose other children may keep the input open.
LOOK_SECONDS = 1


@dataclass
class Held:
    """A cluster, the path of its kubeconfig, and its Lease as last read."""

    name: str
    kubeconfig: str
    api: Cluster
    lease: pure.Lease | None = None

    def look(self) -> None:
        """Read the Lease."""
        self.lease = self.api.get(pure.PATH)

    def write(self, run: pure.Run, seconds: int) -> bool:
        """Take or renew it; False when another run wrote it first."""
        wanted = pure.taken(self.lease, run, self.api.now, seconds)
        try:
            verb, path = ("PUT", pure.PATH) if self.lease else ("POST", pure.LIST)
            self.lease = self.api.request(verb, path, body=wanted)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            return False
        return True

    def release(self) -> None:
        """Delete it, unless another run has taken it."""
        exact = {key: (self.lease or {})["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": exact}
        self.api.request("DELETE", pure.PATH, body=body)


class Leases:
    """The Leases that one run holds."""

    def __init__(self, run: pure.Run, seconds: int = pure.SECONDS) -> None:
        self._run, self._seconds = run, seconds
        self._held: dict[str, Held] = {}

    def take(self, clusters: dict[str, dict[str, str]]) -> list[str]:
        """Take the Leases of the clusters that answer; return the refusals if other runs hold some.

        :param clusters: by name `kubeconfig` and `uid`, the paths of the kubeconfig and of the recorded UID. A cluster
            with another UID is skipped: the stages refuse it.
        """
        found = [each for each in _together(lambda item: _reached(*item), clusters.items()) if each]
        # One by one in the order of their names, so that one of two runs gets all of them.
        for each in sorted(found, key=lambda each: each.name):
            if reason := self._taken(each):
                return [reason, *(why for other in found if other is not each and (why := self._refusal(other)))]
        return []

    def renew(self) -> list[str]:
        """Renew all held Leases; return the refusals for those that other runs have taken."""
        lost = []
        for each, reason in zip(list(self._held.values()), _together(self._renewed, self._held.values()), strict=True):
            if reason:
                del self._held[each.name]
                lost.append(reason)
        return lost

    def release(self) -> None:
        """Delete all held Leases, except of clusters that this run removed."""
        _together(_released, [each for each in self._held.values() if Path(each.kubeconfig).exists()])
        self._held = {}

    def _taken(self, each: Held) -> str:
        """The refusal; empty when the Lease is held now, or when the API server cannot be reached."""
        with contextlib.suppress(ApiError, Unreachable):
            while not (reason := self._refusal(each)):
                if each.write(self._run, self._seconds):
                    self._held[each.name] = each
                    return ""
                each.look()
            return reason
        return ""

    def _renewed(self, each: Held) -> str:
        with contextlib.suppress(ApiError, Unreachable):
            each.look()
            return self._taken(each)
        return ""

    def _refusal(self, each: Held) -> str:
        if pure.is_free(each.lease, self._run, each.api.now):
            return ""
        return pure.refusal(each.name, each.lease or {}, each.api.now)


def _reached(name: str, paths: dict[str, str]) -> Held | None:
    """The cluster with its Lease; None when it does not exist yet, does not answer, or has another UID."""
    if not Path(paths["kubeconfig"]).exists():
        return None
    recorded = Path(paths["uid"])
    with contextlib.suppress(ApiError, Unreachable):
        api = Cluster(paths["kubeconfig"])
        if recorded.exists() and recorded.read_text().strip() != api.uid():
            return None
        held = Held(name, paths["kubeconfig"], api)
        held.look()
        return held
    return None


def _released(each: Held) -> None:
    with contextlib.suppress(ApiError, Unreachable):
        each.release()


def _together(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """The results in the order of the items."""
    every = list(items)
    with ThreadPoolExecutor(max(len(every), 1)) as pool:
        return list(pool.map(work, every))


def main() -> None:
    """Arguments: the run as JSON, and the duration of a Lease in seconds."""
    seconds = int(sys.argv[2])
    leases = Leases(pure.Run(**json.loads(sys.argv[1])), seconds)
    due = time.monotonic() + seconds / 3
    try:
        for line in _lines(os.getppid()):
            if line:
                _say(leases.take(json.loads(line)))
            elif time.monotonic() >= due:
                if lost := leases.renew():
                    _say(lost)
                due = time.monotonic() + seconds / 3
    finally:
        leases.release()


def _say(refused: list[str]) -> None:
    print(json.dumps({"refused": refused}), flush=True)


def _lines(parent: int) -> Iterator[str]:
    """Lines of standard input; an empty one after each interval without any."""
    rest = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            yield ""
            continue
        if not (read := os.read(0, 65536)):
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from (line.decode() for line in lines)


if __name__ == "__main__":
    main()
