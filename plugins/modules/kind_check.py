#!/usr/bin/python
# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Say what stands against a fleet's kind clusters on a container engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_check
short_description: Say what stands against a fleet's kind clusters on a container engine
version_added: 0.1.0
description:
  - Looks at the engine and changes nothing. Fails with all findings at once, each with what to do next.
  - No image is pulled. Where one is not there, its registry is asked for the manifest.
  - Ports and images are looked at for clusters that have still to be made.
attributes:
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: none
    description: The module only reads.
options:
  engine:
    description: The container engine.
    type: str
    choices: [docker, podman]
    required: true
  directory:
    description: Directory of the fleet's inventory.
    type: path
    required: true
  network:
    description: Network of the engine that the fleet's nodes are on.
    type: str
    required: true
  memory_gib:
    description: GiB of memory that the engine must have.
    type: float
    required: true
  clusters:
    description: By cluster C(image), that of its nodes, and C(ports), those of the host by the variable that sets them.
    type: dict
    required: true
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Engine can hold the clusters
  opendata.platform.kind_check:
    engine: docker
    directory: /srv/platform/inventories/dev
    network: odp-dev
    memory_gib: 6
    clusters:
      dev:
        image: kindest/node:v1.36.4
        ports: {cluster_kind_http_port: 80, cluster_kind_https_port: 443}
"""

RETURN = r"""
findings:
  description: What stands against the clusters, one sentence each.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.kind.facts import look
from ansible_collections.opendata.platform.plugins.module_utils.kind.preflight import Wanted, findings


def main() -> None:
    """Look at the engine and fail with all findings."""
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["docker", "podman"], "required": True},
            "directory": {"type": "path", "required": True},
            "network": {"type": "str", "required": True},
            "memory_gib": {"type": "float", "required": True},
            "clusters": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    wanted = Wanted(
        engine=given["engine"],
        directory=given["directory"],
        memory_gib=given["memory_gib"],
        images={name: each["image"] for name, each in given["clusters"].items()},
        ports={name: each["ports"] for name, each in given["clusters"].items()},
    )
    found = findings(wanted, look(wanted, given["network"]))
    if found:
        module.fail_json(msg="\n".join(found), findings=found)
    module.exit_json(changed=False, findings=[])


if __name__ == "__main__":
    main()
