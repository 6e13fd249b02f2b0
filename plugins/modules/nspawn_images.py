# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Unpack images once for all machines of this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nspawn_images
short_description: Unpack images once for all machines of this host
version_added: 0.2.0
description:
  - Unpacks images of a registry's storage with containerd, into a directory that M(opendata.platform.nspawn_machine)
    shares among machines, which then neither pull nor unpack them.
  - Other images are unpacked into another directory. What was unpacked before is removed then, unless a machine or a
    snapshot uses it, or a run used it within a day.
attributes:
  check_mode: {description: Nothing is unpacked., support: full}
  diff_mode: {description: Lists the images., support: full}
options:
  store: {description: Directory of all unpacked images., type: path, required: true}
  images: {description: Digest of each image by its name with tag., type: dict, required: true}
  containerd: {description: Directory of the programs containerd and ctr., type: path, required: true}
  registry: {description: The registry's program., type: path, required: true}
  storage: {description: Storage of the registry with the images., type: path, required: true}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Unpack the images
  opendata.platform.nspawn_images:
    store: /root/.cache/odp/images
    images: {"registry.k8s.io/pause:3.10.2": "sha256:4a0b..."}
    containerd: /root/.cache/odp/artifacts/containerd-4711
    registry: /root/.cache/odp/artifacts/registry-4711/docker-registry
    storage: /root/.cache/odp/registry
"""

RETURN = r"""
path:
  description: Directory of the unpacked images; empty if there are no images.
  type: str
  returned: success
  sample: /root/.cache/odp/images/0f3a5c7e9b1d
"""

from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host, images


def main() -> None:
    """Read the task's options and unpack the images."""
    paths = ("store", "containerd", "registry", "storage")
    module = Module(
        {
            **{name: {"type": "path", "required": True} for name in paths},
            "images": {"type": "dict", "required": True},
        },
    )
    wanted = module.params["images"]
    if not wanted:
        module.exit_json(changed=False, path="", diff=difference("images", "", ""))
    target = images.directory(Path(module.params["store"]), wanted)
    changed = not target.exists()
    programs = images.Programs(**{name: Path(module.params[name]) for name in ("containerd", "registry", "storage")})
    with module.reporting(host.HostError, OSError, before=f"images unpacked in {target}: "):
        if not module.check_mode:
            images.unpack(target, sorted(wanted), programs)
    lines = "".join(f"{name}\n" for name in sorted(wanted))
    module.exit_json(changed=changed, path=str(target), diff=difference(str(target), "" if changed else lines, lines))


if __name__ == "__main__":
    main()
