# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check whether this host can run the machines of a fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nspawn_check
short_description: Check whether this host can run the machines of a fleet
version_added: 0.1.0
description:
  - Only reads. Fails with all findings at once, each with the next step.
  - Memory and disk are checked as long as a machine of the fleet is still to be started.
options:
  fleet: {description: Name of the fleet., type: str, required: true}
  directory: {description: Directory of the fleet's inventory., type: path, required: true}
  network: {description: Network of the machines., type: str, required: true}
  bridge: {description: Name of the bridge., type: str, required: true}
  memory_gib: {description: GiB of memory that must be free., type: float, required: true}
  disk_gib: {description: GiB of disk space that must be free at C(/var/lib/odp)., type: float, required: true}
  machines: {description: Address of each machine by its name., type: dict, required: true}
extends_documentation_fragment: [opendata.platform.reads]
"""

EXAMPLES = r"""
- name: Check whether this host can run the machines
  opendata.platform.nspawn_check:
    fleet: local
    directory: /srv/platform/inventories/local
    network: 10.77.0.0/24
    bridge: odp-local
    memory_gib: 6
    disk_gib: 15
    machines:
      north-1: 10.77.0.11
"""

RETURN = r"""
findings:
  description: Why the machines cannot be created, each with the next step.
  type: list
  elements: str
  returned: always
"""

import os
import shutil

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.preflight import Seen, Wanted, findings
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import UP, Supervisor


def main() -> None:
    """Inspect the host and fail with all findings."""
    text, number = {"type": "str", "required": True}, {"type": "float", "required": True}
    module = Module(
        {
            "fleet": text,
            "directory": {"type": "path", "required": True},
            "network": text,
            "bridge": text,
            "memory_gib": number,
            "disk_gib": number,
            "machines": {"type": "dict", "required": True},
        },
    )
    params = dict(module.params)
    wanted = Wanted(addresses=params.pop("machines"), **params)
    supervisor = Supervisor.of_fleet(wanted.fleet)
    seen = Seen(
        root=os.geteuid() == 0,
        missing=host.missing_packages(),
        apt=bool(shutil.which("apt-get")),
        memory=host.free_memory(),
        disk=host.free_disk(),
        all_made=all(supervisor.state(name) in UP for name in wanted.addresses),
        routes=host.routes(),
        fleets=host.records(),
        links=os.listdir("/sys/class/net"),
    )
    module.refuse(findings(wanted, seen))
    module.exit_json(changed=False, findings=[])


if __name__ == "__main__":
    main()
