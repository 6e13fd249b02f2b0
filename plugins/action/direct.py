# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs a module of this collection in Ansible's worker process when its task runs on the controller.

Starting another Python for each task costs 0.3 s of CPU time. meta/runtime.yml lists the modules; ansible.netcommon
does the same under the name of direct execution. Arguments are passed in `basic._ANSIBLE_ARGS`, as ansible-core's own
module runner does (`_ansiballz/_loader.py`), because ansible-core has no public function for it outside of tests.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any

from ansible.module_utils import basic
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.action import ActionBase

MODULES = "ansible_collections.opendata.platform.plugins.modules"
_PROFILE = "legacy"  # how a module's arguments are written as JSON, the default of ansible-core


class ActionModule(ActionBase):
    """Returns the module's own result, as if it had run in a process of its own."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module in this process; the usual way over any other connection than `local`, or with become."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = self._task.action.rpartition(".")[2]
        arguments = dict(self._task.args)
        if self._connection.transport != "local" or self._play_context.become:
            return {**result, **self._execute_module(f"opendata.platform.{name}", arguments, task_vars=task_vars)}
        self._update_module_args(name, arguments, task_vars or {})
        encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
        basic._ANSIBLE_PROFILE = _PROFILE
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            importlib.import_module(f"{MODULES}.{name}").main()
        return {**result, **json.loads(printed.getvalue())}
