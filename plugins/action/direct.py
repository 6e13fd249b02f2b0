# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs a module of this collection within Ansible's worker when the task runs on the controller.

Starting another Python for each costs 0.3 s of processor time. A link to this file has the name of such a module.
ansible.netcommon does the same under the name of direct execution, with the hook that Ansible keeps for it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible.plugins.action import ActionBase

MODULES = "ansible_collections.opendata.platform.plugins.modules"


class ActionModule(ActionBase):
    """The module's own result, as if it had run in a process of its own."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module here; over any other connection than `local` the usual way."""
        result = super().run(tmp, task_vars)
        name = self._task.action.rpartition(".")[2]
        arguments = dict(self._task.args)
        if self._connection.transport != "local" or self._play_context.become:
            return {**result, **self._execute_module(f"opendata.platform.{name}", arguments, task_vars=task_vars)}
        self._update_module_args(name, arguments, task_vars or {})
        printed = io.StringIO()
        with patch_module_args(arguments), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            importlib.import_module(f"{MODULES}.{name}").main()
        return {**result, **json.loads(printed.getvalue())}
