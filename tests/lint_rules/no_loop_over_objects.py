# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A rule of ansible-lint: one task for all Kubernetes objects, never a task for each."""

from __future__ import annotations

import re

from ansiblelint.file_utils import Lintable
from ansiblelint.rules import AnsibleLintRule
from ansiblelint.utils import Task

_MODULE = re.compile(r"opendata\.platform\.k8s_apply|kubernetes\.core\.k8s\w*")
_COMMAND = re.compile(r"(ansible\.(builtin|legacy)\.)?(command|shell)")
_KUBECTL = re.compile(r"(?<![\w-])kubectl(?![\w-])")


class NoLoopOverObjects(AnsibleLintRule):
    """Loops over Kubernetes objects are forbidden."""

    id = "no-loop-over-objects"
    description = "Every round of a loop asks the API server anew; k8s_apply takes any number of objects in one task."
    severity = "HIGH"
    version_changed = "0.1.0"

    def matchtask(self, task: Task, file: Lintable | None = None) -> bool | str:
        """Return what to write instead, where a task loops over objects."""
        loop = next((key for key in task.raw_task if key == "loop" or key.startswith("with_")), None)
        name = task["action"]["__ansible_module__"]
        arguments = {key: value for key, value in task["action"].items() if not key.startswith("__ansible")}
        kubectl = _COMMAND.fullmatch(name) and _KUBECTL.search(str(arguments))
        if not loop or not (kubectl or _MODULE.fullmatch(name)):
            return False
        what = "kubectl" if kubectl else name
        return f"{loop} over Kubernetes objects with {what}: one task of opendata.platform.k8s_apply takes them all"
