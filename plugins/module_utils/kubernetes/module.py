# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the modules that talk to a cluster share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..libraries import require
from . import manifests
from .apply import Applier, Change, Refused
from .client import (
    ApiError,
    Cluster,
    Unreachable,
)

CLUSTER_OPTIONS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
}


class ClusterModule(AnsibleModule):
    """A module that works on one cluster."""

    if TYPE_CHECKING:  # AnsibleModule has no type hints

        def fail_json(self, msg: str, **results: Any) -> NoReturn: ...
        def exit_json(self, **results: Any) -> NoReturn: ...

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        require(self, "cryptography", "urllib3", "yaml")

    def _log_invocation(self) -> None:
        """Write no parameters to syslog: manifests and values may hold secrets."""

    @property
    def planned(self) -> bool:
        """Whether the cluster is not made yet and this is check mode, where that is no fault."""
        return bool(self.check_mode and not Path(self.params["kubeconfig"]).exists())

    def connect(self) -> Cluster:
        """Return the cluster of the kubeconfig; fails with what is missing."""
        try:
            return Cluster(self.params["kubeconfig"], self.params["context"])
        except Unreachable as error:
            self.fail_json(msg=f"{error}.")

    def apply(self, applier: Applier, wanted: list[manifests.Manifest]) -> dict[str, Any]:
        """Apply the manifests and return the result to show; fails with all findings of a stage at once."""
        try:
            changes = applier.apply(wanted)
        except Refused as error:
            text = f"The API server {applier.cluster.host} did not take these objects: {error}."
            self.fail_json(msg=text, findings=error.findings)
        except (ApiError, Unreachable) as error:
            self.fail_json(msg=f"{error}.")
        for warning in sorted(set(applier.cluster.warnings)):
            self.warn(warning)
        return summary(changes)


def summary(changes: list[Change]) -> dict[str, Any]:
    """Return what Ansible shows of the changes."""
    due = [change for change in changes if change.action != "unchanged"]
    actions = [change.action for change in changes]
    return {
        "changed": bool(due),
        "counts": {action: actions.count(action) for action in ("created", "changed", "unchanged")},
        "objects": [{"object": manifests.name_of(change.wanted), "action": change.action} for change in changes],
        "diff": [manifests.diff(manifests.name_of(change.wanted), change.before, change.after) for change in due],
    }
