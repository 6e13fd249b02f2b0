# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check that a container engine can run a fleet's kind clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_check
short_description: Check that a container engine can run kind clusters
version_added: 0.1.0
description:
  - Inspects the engine and changes nothing. Fails with all findings at once, each with the next step.
  - Pulls no image. For an image that is not available locally, its registry is asked for the manifest.
  - Checks ports and images only of clusters that do not exist yet.
options:
  engine: {description: The container engine., type: str, choices: [docker, podman], required: true}
  directory: {description: Directory of the fleet's inventory., type: path, required: true}
  network: {description: Network of the engine for the fleet's nodes., type: str, required: true}
  memory_gib: {description: GiB of memory that the engine must have., type: float, required: true}
  clusters:
    description: By cluster name the node C(image), and C(ports) of this host by the variable that sets them.
    type: dict
    required: true
extends_documentation_fragment: [opendata.platform.reads]
"""

EXAMPLES = r"""
- name: Check the container engine
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
findings: {description: "What prevents the clusters, as text.", type: list, elements: str, returned: always}
"""

from ansible_collections.opendata.platform.plugins.module_utils.kind.cli import inspect_engine
from ansible_collections.opendata.platform.plugins.module_utils.kind.preflight import Wanted, findings
from ansible_collections.opendata.platform.plugins.module_utils.module import Module


def main() -> None:
    """Inspect the engine and fail with all findings."""
    module = Module(
        {
            "engine": {"type": "str", "choices": ["docker", "podman"], "required": True},
            "directory": {"type": "path", "required": True},
            "network": {"type": "str", "required": True},
            "memory_gib": {"type": "float", "required": True},
            "clusters": {"type": "dict", "required": True},
        },
        libraries=("yaml",),
    )
    given = module.params
    wanted = Wanted(
        engine=given["engine"],
        directory=given["directory"],
        memory_gib=given["memory_gib"],
        images={name: each["image"] for name, each in given["clusters"].items()},
        ports={name: each["ports"] for name, each in given["clusters"].items()},
    )
    module.refuse(findings(wanted, inspect_engine(wanted, given["network"])))
    module.exit_json(changed=False, findings=[])


if __name__ == "__main__":
    main()
