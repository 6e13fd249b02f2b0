# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation of action plugin artifacts."""

DOCUMENTATION = r"""
module: artifacts
short_description: Provide binaries, images and files that a fleet needs before it exists
version_added: 0.1.0
author: [Open Data Platform contributors (@opendata)]
description:
  - Runs on the controller. Downloads official releases, or builds from pinned Go modules, PyPI and Debian packages.
  - A release is proved by the checksum that it publishes; the lock keeps this, and a later change is refused.
  - A build is kept under a key of its whole recipe, so that nothing is built twice and nothing half-made is ever used.
  - Images that were built are pushed to the storage of a registry.
  - Says in one line each what starts, what ended and, every 15 seconds, what runs.
notes:
  - Downloads are tested against a local server of releases. The real release hosts were never asked; that is not run.
  - Builds need Linux on amd64 with util-linux, and Debian or Ubuntu for what is made from Debian packages.
options:
  source:
    description:
      - V(download), V(build), or V(auto), which builds only what cannot be downloaded, decided within 3 seconds.
    type: str
    choices: [auto, download, build]
    required: true
  build_allowed:
    description: Whether this fleet may run what was built at home.
    type: bool
    required: true
  table:
    description: The artifacts by name, as in C(vars/main.yml) of role P(opendata.platform.artifacts#role).
    type: dict
    required: true
  unwanted:
    description: Entries that this fleet itself does not need; made only where the build of another one uses them.
    type: list
    elements: str
    default: []
  registries:
    description: Addresses that are asked for digests in place of a registry, by the registry's name.
    type: dict
    default: {}
  jobs:
    description: Builds and downloads at once; never more than there are CPUs.
    type: int
    default: 2
  state:
    description: State directory of the fleet; the lock C(artifacts.lock.yml) lies there.
    type: path
    required: true
  cache:
    description: Directory that holds store, registry storage, build caches and logs.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
    details: [Nothing is made; digests of what is missing are empty strings.]
  diff_mode:
    description: Returns details of what changed.
    support: full
    details: [Lists what is made, and shows the change of the lock.]
"""

EXAMPLES = r"""
- name: Artifacts are at hand
  opendata.platform.artifacts:
    source: auto
    build_allowed: true
    table:
      etcd:
        version: 3.7.3
        binaries: [etcd]
        download:
          etcd:
            url: https://github.com/etcd-io/etcd/releases/download/v3.7.3/etcd-v3.7.3-linux-amd64.tar.gz
            checksum: https://github.com/etcd-io/etcd/releases/download/v3.7.3/SHA256SUMS
            member: etcd-v3.7.3-linux-amd64/etcd
    state: "{{ fleet.state }}"
    cache: "{{ fleet.cache }}"
  run_once: true
"""

RETURN = r"""
made:
  description: Seconds that each artifact took which was made now.
  returned: success
  type: dict
  sample: {kubernetes: 409.2}
artifacts:
  description: Where each artifact lies and what proves it.
  returned: success
  type: dict
  sample:
    source: {mode: auto, build_allowed: true}
    store: /root/.cache/odp/artifacts
    registry_storage: /root/.cache/odp/registry
    binaries:
      kubelet: {path: kubernetes-0123456789ab/kubelet, sha256: "…", origin: build, version: v1.36.3}
    images:
      registry.k8s.io/pause:3.10.2: {digest: "sha256:…", origin: build, version: 3.10.2}
    files:
      cilium_chart: {path: /root/.cache/odp/artifacts/cilium_chart-0123456789ab/cilium, sha256: "…", version: 1.20.2}
"""
