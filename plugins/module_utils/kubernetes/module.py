# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the modules that talk to a cluster share."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ..module import Module
from . import manifests
from .apply import Applier, Change, Refused
from .client import ApiError, Cluster, Unreachable


class ControllerModule(Module):
    """A module about any number of clusters."""

    def __init__(self, argument_spec: dict[str, Any], **arguments: Any) -> None:
        super().__init__(argument_spec, ("cryptography", "urllib3", "yaml"), **arguments)

    def _log_invocation(self) -> None:
        """Write no parameters to syslog: manifests and values may hold secrets."""

    def reporting_api(self, *errors: type[Exception], **results: Any) -> contextlib.AbstractContextManager[None]:
        """Fail with the message of an API server's answer or silence, and of other errors."""
        return self.reporting(ApiError, Unreachable, *errors, after=".", **results)


class ClusterModule(ControllerModule):
    """A module that works on one cluster, with the options of documentation fragment `cluster`."""

    def __init__(self, argument_spec: dict[str, Any]) -> None:
        options = {"kubeconfig": {"type": "path", "required": True}, "context": {"type": "str"}}
        super().__init__({**options, **argument_spec})

    @property
    def planned(self) -> bool:
        """Whether the cluster is not made yet and this is check mode, where that is no fault."""
        return bool(self.check_mode and not Path(self.params["kubeconfig"]).exists())

    def connect(self) -> Cluster:
        """Return the cluster of the kubeconfig; fails with what is missing."""
        with self.reporting_api():
            return Cluster(self.params["kubeconfig"], self.params["context"])

    def apply(self, applier: Applier, wanted: list[manifests.Manifest]) -> dict[str, Any]:
        """Apply the manifests and return the result to show; fails with all findings of a stage at once."""
        with self.reporting_api():
            try:
                changes = applier.apply(wanted)
            except Refused as error:
                text = f"The API server {applier.cluster.host} did not take these objects: {error}."
                self.fail_json(msg=text, findings=error.findings)
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
