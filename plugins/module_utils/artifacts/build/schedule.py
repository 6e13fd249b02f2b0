# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The order of jobs that need each other. No I/O."""

from __future__ import annotations


def urgency(needs: dict[str, list[str]], seconds: dict[str, float]) -> dict[str, float]:
    """Return for each job the seconds of the longest chain of work that starts with it.

    :raises ValueError: when jobs need each other in a circle, or one that does not exist.
    """
    after: dict[str, list[str]] = {name: [] for name in needs}
    for name, before in needs.items():
        for need in before:
            if need not in needs:
                raise ValueError(f"{name} needs {need}, which does not exist")
            after[need].append(name)
    found: dict[str, float] = {}
    left = {name: len(after[name]) for name in needs}
    ready = [name for name, count in left.items() if count == 0]
    while ready:
        name = ready.pop()
        found[name] = seconds.get(name, 1) + max((found[later] for later in after[name]), default=0)
        for need in needs[name]:
            left[need] -= 1
            if left[need] == 0:
                ready.append(need)
    if len(found) < len(needs):
        raise ValueError(f"in a circle: {', '.join(sorted(set(needs) - set(found)))}")
    return found


def startable(
    needs: dict[str, list[str]],
    urgent: dict[str, float],
    done: set[str],
    running: set[str],
    groups: dict[str, str],
    room: int,
) -> list[str]:
    """Return the jobs to start now, the most urgent first.

    :param groups: of the jobs that name the same group only one runs at a time ("" is none).
    :param room: how many may start.
    """
    busy = {groups.get(name, "") for name in running} - {""}
    free = [name for name in needs if name not in running and name not in done and set(needs[name]) <= done]
    chosen: list[str] = []
    for name in sorted(free, key=lambda name: (-urgent[name], name)):
        group = groups.get(name, "")
        if len(chosen) < room and group not in busy:
            chosen.append(name)
            busy |= {group} - {""}
    return chosen
