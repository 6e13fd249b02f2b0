# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Set sysctls and load kernel modules, now and at boot.

Kept beside ansible.posix.sysctl and community.general.modprobe: they need one task per setting, keep settings that are
no longer wanted, and modprobe fails in a container, which has no /lib/modules, for what its kernel has built in.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Manage sysctls and kernel modules of a node
version_added: 0.1.0
description:
  - Sets sysctls now and in C(/etc/sysctl.d/90-opendata-platform.conf), loads modules now and in
    C(/etc/modules-load.d/90-opendata-platform.conf).
  - A module that is built into the kernel counts as loaded.
options:
  sysctls:
    description: Values by key. A key that is no longer listed leaves the file, and its value stays until the next boot.
    type: dict
    default: {}
  modules: {description: Modules to load., type: list, elements: str, default: []}
  planned:
    description: The machine does not exist yet; report all settings as changes without reading any.
    type: bool
    default: false
attributes:
  check_mode: {description: Reports what would change., support: full}
  diff_mode: {description: Shows current values and both files., support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Set the kernel up for Kubernetes
  opendata.platform.kernel_settings:
    sysctls: {net.ipv4.ip_forward: 1}
    modules: [overlay]
"""

RETURN = r"""
sysctls: {description: "Keys that were (in check mode, would be) set.", returned: always, type: list, elements: str}
modules:
  description: Modules that were (in check mode, would be) loaded.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io, kernel


def main() -> None:
    """Read the task's options and converge."""
    module = Module(
        {
            "sysctls": {"type": "dict", "default": {}},
            "modules": {"type": "list", "elements": "str", "default": []},
            "planned": {"type": "bool", "default": False},
        },
    )
    with module.reporting(kernel.KernelSettingError, file_io.NodeFileError):
        module.exit_json(**kernel.converge(module.params, module.check_mode or module.params["planned"]))


if __name__ == "__main__":
    main()
