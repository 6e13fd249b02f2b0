# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What tests of the whole platform observe of a fleet: its mesh, its pods, its published tree, its data path."""

import json
import time
from typing import Any

import yaml

from fleet import Fleet, Run, odp


def mesh(fleet: Fleet, verb: str = "status") -> tuple[int, dict[str, Any]]:
    code, text = odp("mesh", verb, str(fleet.directory), "--json")
    return code, json.loads(text)


def well(fleet: Fleet, seconds: float = 120) -> dict[str, Any]:
    """The status once all is well, which takes a moment after a machine or a link came back."""
    deadline = time.monotonic() + seconds
    while True:
        code, status = mesh(fleet)
        if (code, status["ok"]) == (0, True):
            return status
        assert time.monotonic() < deadline, json.dumps(status, indent=1)


def uids(fleet: Fleet, cluster: str, namespace: str, selector: str) -> set[str]:
    """The pods of a selector, each with the restarts of its containers."""
    text = fleet.kubectl(cluster, "-n", namespace, "get", "pods", "-l", selector, "-o", "json")
    return {
        f"{pod['metadata']['uid']} {[status['restartCount'] for status in pod['status']['containerStatuses']]}"
        for pod in json.loads(text)["items"]
    }


def agents(fleet: Fleet, cluster: str) -> set[str]:
    return uids(fleet, cluster, "kube-system", "k8s-app=cilium")


def published(fleet: Fleet, cluster: str) -> str:
    path = "{.status.artifact.revision}"
    return fleet.kubectl(cluster, "-n", "flux-system", "get", "ocirepository/platform", "-o", f"jsonpath={path}")


def set_values(fleet: Fleet, **settings: object) -> None:
    """Set variables of the fleet, or take them away with None."""
    path = fleet.directory / "group_vars/all.yml"
    known = yaml.safe_load(path.read_text()) | settings
    path.write_text(yaml.safe_dump({name: value for name, value in known.items() if value is not None}))


def right(run: Run) -> list[str]:
    """The checks of a run of the data path, all of them right."""
    assert run.code == 0, run.tail()
    found = [line.split() for line in run.output.splitlines() if line.startswith(("north  ", "south  "))]
    return [" ".join(line) for line in found if "yes" in line]
