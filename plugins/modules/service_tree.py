# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation of action plugin service_tree."""

DOCUMENTATION = r"""
module: service_tree
short_description: Render the platform tree of a cluster from the descriptions of its services
version_added: 0.2.0
author: [Open Data Platform contributors (@opendata)]
description:
  - Checks all services of one cluster and renders the manifests that Flux applies.
  - Fails with all findings at once, each with the role, the key and the next step. Nothing is changed.
options:
  services:
    description: The fact C(platform_releases), one item for each service.
    type: list
    elements: dict
    required: true
    suboptions:
      role: {description: Role that describes the service., type: str, required: true}
      release: {description: Its C(service_release)., type: dict, required: true}
      rendered: {description: What its template rendered; empty with a chart., type: str, required: true}
  context:
    description: What the services may know about their cluster, as role P(opendata.platform.service#role) sets it.
    type: dict
    required: true
attributes:
  check_mode: {description: Can run in check mode., support: full}
  diff_mode: {description: Returns details of what changed., support: none, details: [Nothing is changed.]}
"""

EXAMPLES = r"""
- name: Render the platform tree
  opendata.platform.service_tree:
    services: "{{ platform_releases }}"
    context: "{{ __service_context }}"
  register: platform_tree
"""

RETURN = r"""
files:
  description: Text of each file of the tree, by its path. The same services give the same bytes.
  returned: success
  type: dict
  sample: {services/sail/manifests.yaml: "..."}
secrets:
  description: Recipes of the Secrets, for filter C(service_secrets). They hold no secret value.
  returned: success
  type: list
  elements: dict
namespaces: {description: Manifests of the services' Namespaces., returned: success, type: list, elements: dict}
"""
