# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Python libraries beyond the standard library, which modules on the controller need."""

from __future__ import annotations

from importlib.util import find_spec

from ansible.module_utils.basic import AnsibleModule, missing_required_lib


def require(module: AnsibleModule, *names: str) -> None:
    """Fail the module, naming each Python library that its interpreter does not have."""
    if missing := [name for name in names if find_spec(name) is None]:
        module.fail_json(msg=" ".join(map(missing_required_lib, missing)))
