# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Controller part of module service_tree: passes the descriptions to the pure rules."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.opendata.platform.plugins.module_utils.service import tree


class ActionModule(ActionBase):
    """Renders the tree, or fails with all findings."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The tree of the host's cluster."""
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "services": {"type": "list", "elements": "dict", "required": True},
                "context": {"type": "dict", "required": True},
            }
        )
        rendered = tree.render(arguments["services"], arguments["context"])
        if rendered["findings"]:
            raise AnsibleActionFail("\n".join(map(str, rendered["findings"])))
        return {**result, "changed": False, **rendered}
