# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation of the action plugin artifacts."""

DOCUMENTATION = r"""
module: artifacts
short_description: Download or build the binaries, images and files of a fleet
version_added: 0.1.0
author: [Open Data Platform contributors (@opendata)]
description:
  - Runs on the controller. Downloads official releases, or builds from pinned Go modules, PyPI and Debian packages.
  - A release is verified by its published checksum, which the lock records; a later change is refused.
  - A build is stored under a key of its complete recipe, so that no recipe is built twice and no build is incomplete.
  - Built images are pushed to the storage of a registry.
  - Prints a line when a download or build starts and ends, and every 15 seconds what is running.
notes:
  - Downloads are tested with a local release server, not with the real release hosts.
  - Builds require Linux on amd64 with util-linux, and Debian or Ubuntu for artifacts from Debian packages.
options:
  source:
    description:
      - V(download), V(build), or V(auto), which builds only what cannot be downloaded; hosts have 3 seconds to answer.
    type: str
    choices: [auto, download, build]
    required: true
  build_allowed:
    description: Whether this fleet may use artifacts that were built locally.
    type: bool
    required: true
  table:
    description: The artifacts by name, as in C(vars/main) of role P(opendata.platform.artifacts#role).
    type: dict
    required: true
  unwanted:
    description: Entries that this fleet does not use itself; provided only if another build needs them.
    type: list
    elements: str
    default: []
  registries:
    description: Addresses to query for digests instead of a registry, by the registry's name.
    type: dict
    default: {}
  jobs: {description: "Number of parallel builds and downloads, at most one per CPU.", type: int, default: 2}
  state: {description: "State directory of the fleet, with the lock C(artifacts.lock.yml).", type: path, required: true}
  cache:
    description: Directory of the store, the registry's storage, build caches and logs.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
    details: [Nothing is downloaded or built; digests of missing artifacts are empty strings.]
  diff_mode:
    description: Returns details of what changed.
    support: full
    details: [Lists what is downloaded or built, and shows the change of the lock.]
"""

EXAMPLES = r"""
- name: Provide the artifacts
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
  description: Seconds by artifact that was downloaded or built.
  returned: success
  type: dict
  sample: {kubernetes: 409.2}
artifacts:
  description: Path, origin, version and digest of each artifact.
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
