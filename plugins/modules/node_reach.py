# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check which addresses a node can reach."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_reach
short_description: Check which addresses a node can reach
version_added: 0.1.0
description:
  - Connects to a TCP port of each address. A refused connection counts as reached, so nothing needs to listen there.
  - UDP ports of tunnels cannot be checked this way. The default port is that of Cilium's health checks, which must be
    open between nodes as well.
options:
  addresses: {description: Addresses to connect to by name., type: dict, required: true}
  port: {description: TCP port., type: int, default: 4240}
extends_documentation_fragment: [opendata.platform.reads]
"""

EXAMPLES = r"""
- name: Check whether the node can reach its peers
  opendata.platform.node_reach:
    addresses: {south: 10.77.0.12}
"""

RETURN = r"""
unreached:
  description: The reason by name for each address that did not answer.
  returned: always
  type: dict
  sample: {south: timed out}
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.opendata.platform.plugins.module_utils.module import Module

SECONDS = 3


def why_not(address: str, port: int) -> str:
    """Why an address does not answer; empty if it does."""
    try:
        socket.create_connection((address, port), SECONDS).close()
    except ConnectionRefusedError:
        return ""
    except OSError as error:
        return str(error.strerror or error)
    return ""


def main() -> None:
    """Run the module."""
    spec = {"addresses": {"type": "dict", "required": True}, "port": {"type": "int", "default": 4240}}
    module = Module(spec)
    names, addresses = list(module.params["addresses"]), module.params["addresses"].values()
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        reasons = pool.map(lambda address: why_not(str(address), module.params["port"]), addresses)
    module.exit_json(unreached={name: why for name, why in zip(names, reasons, strict=True) if why})


if __name__ == "__main__":
    main()
