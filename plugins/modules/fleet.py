# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation of action plugin fleet."""

DOCUMENTATION = r"""
module: fleet
short_description: Check the inventory and build the fleet record
version_added: 0.1.0
author: [Open Data Platform contributors (@opendata)]
description:
  - Reads the groups C(clusters) and C(nodes) of the inventory, fills in all defaults, and checks the result.
  - Reports all errors at once, each with the variable, its value, the file and the next step.
  - Creates the directory C(.state) of the inventory with mode 0700.
options: {}
attributes:
  check_mode: {description: Can run in check mode., support: full, details: [The state directory is not created.]}
  diff_mode:
    description: Returns details of what changed.
    support: none
    details: [The module changes nothing but the state directory.]
"""

EXAMPLES = r"""
- name: Check the inventory and build the fleet record
  opendata.platform.fleet:
  run_once: true
  register: __fleet
"""

RETURN = r"""
fleet:
  description: The fleet record, the validated inventory with all defaults.
  returned: success
  type: dict
  sample:
    name: local
    directory: /srv/platform/inventories/local
    state: /srv/platform/inventories/local/.state
    clusters:
      north: {name: north, provider: kubeadm, endpoint: "10.77.0.11:6443", control_planes: [north-1], workers: []}
    nodes:
      north-1: {name: north-1, cluster: north, role: control_plane, address: 10.77.0.11, machine: nspawn}
"""
