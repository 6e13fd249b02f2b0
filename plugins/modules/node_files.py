# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage files of a node and the systemd units that read them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Manage files of a node and the systemd units that read them
version_added: 0.1.0
description:
  - Writes text files and downloads binaries, each atomically and only if it differs.
  - Restarts a unit once if a file that it reads has changed.
  - A restart that a killed run did not get to is done by the next run.
  - Enables and starts units.
options:
  planned:
    description: The machine does not exist yet; report everything as a change without reading anything.
    type: bool
    default: false
attributes:
  check_mode: {description: Reports what would change. Units are inspected only if systemd is running., support: full}
  diff_mode: {description: "Shows text files as text, secrets and binaries by digest.", support: full}
extends_documentation_fragment: [opendata.platform.node_files]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Install containerd
  opendata.platform.node_files:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'containerd.toml.j2') }}"
      - path: /usr/local/bin/containerd
        url: https://example.org/containerd-2.4.2-linux-amd64.tar.gz
        member: bin/containerd
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        mode: "0755"
    restarts:
      - unit: containerd.service
        "on": [/etc/containerd/config.toml, /usr/local/bin/containerd]
    units:
      - name: containerd.service
"""

RETURN = r"""
changed_paths:
  description: Files that were (in check mode, would be) written or removed.
  returned: always
  type: list
  elements: str
restarted:
  description: Units that were (in check mode, would be) restarted.
  returned: always
  type: list
  elements: str
units:
  description: Actions that were (in check mode, would be) taken by unit, C(enable) or C(start).
  returned: always
  type: dict
"""

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.node import converge, file_io, systemd


def main() -> None:
    """Read the task's options and converge."""
    module = Module(converge.OPTIONS)
    with module.reporting(file_io.NodeFileError, systemd.UnitError):
        module.exit_json(**converge.converge(module))


if __name__ == "__main__":
    main()
