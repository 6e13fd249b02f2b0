# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs module flux_ready inside Ansible's worker, as direct.py does, and displays its progress."""

from __future__ import annotations

import logging
from typing import Any

from ansible.utils.display import Display
from ansible_collections.opendata.platform.plugins.action.direct import ActionModule as Direct
from ansible_collections.opendata.platform.plugins.module_utils.flux.watch import PROGRESS


class ActionModule(Direct):
    """The module's own result, with lines of progress."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Display the messages of the module's logger, with the name of the host."""
        shown = _Shown()
        shown.setFormatter(logging.Formatter(f"{(task_vars or {}).get('inventory_hostname', '')}: %(message)s"))
        PROGRESS.setLevel(logging.INFO)
        PROGRESS.propagate = False
        PROGRESS.addHandler(shown)
        try:
            return super().run(tmp, task_vars)
        finally:
            PROGRESS.removeHandler(shown)


class _Shown(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        Display().display(self.format(record))
