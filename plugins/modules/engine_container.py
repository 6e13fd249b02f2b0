# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage a container of a fleet on Docker or Podman."""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_container
short_description: Manage a container of a fleet on Docker or Podman
version_added: 0.1.0
description:
  - Runs on the controller, by the program docker or podman. Neither Linux nor root is needed.
  - The engine restarts the container when it exits. A changed option recreates the container; its volumes are kept.
options:
  name: {description: Name of the container., type: str, required: true}
  state:
    description: Whether the container runs, or is removed with its volumes and its network, unless others use these.
    type: str
    choices: [present, absent]
    default: present
  image: {description: "Image of the container, preferably by digest. Required with O(state=present).", type: str}
  engine: {description: The container engine., type: str, choices: [docker, podman], default: docker}
  network:
    description: Network of the container, created if missing; the engine's default when empty.
    type: str
    default: ""
  publish: {description: "Ports of the host to publish, as address:port:port.", type: list, elements: str, default: []}
  volumes: {description: Mount paths by name of the volume., type: dict, default: {}}
  environment: {description: Environment variables of the container., type: dict, default: {}}
attributes:
  check_mode: {description: "Creates, starts and removes nothing.", support: full}
  diff_mode: {description: Shows the container without the values of its environment., support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Run the registry for pushes
  opendata.platform.engine_container:
    name: odp-dev-registry-push
    image: ghcr.io/distribution/distribution:3.1.1
    publish: ["127.0.0.1:5001:5000"]
    volumes: {odp-dev-registry: /var/lib/registry}
"""

RETURN = r"""
status:
  description: The container's state before the run as the engine reports it, V(absent) if there was none.
  returned: always
  type: str
"""

import contextlib
import hashlib
import json
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.container_engine.cli import (
    Engine,
    EngineError,
    by_digest,
)
from ansible_collections.opendata.platform.plugins.module_utils.module import Module

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

LABEL = "opendata.platform/made-from"
DESCRIBED = ("image", "network", "publish", "volumes", "environment")


def made_from(params: dict[str, Any]) -> str:
    """Digest of the container's description."""
    return hashlib.sha256(json.dumps({key: params[key] for key in DESCRIBED}, sort_keys=True).encode()).hexdigest()


def command(params: dict[str, Any]) -> list[str]:
    """The command that creates the container."""
    words = ["run", "--detach", "--restart", "unless-stopped", "--name", params["name"]]
    words += ["--label", f"{LABEL}={made_from(params)}"]
    words += ["--network", params["network"]] if params["network"] else []
    words += [word for each in params["publish"] for word in ("--publish", each)]
    words += [word for name, path in sorted(params["volumes"].items()) for word in ("--volume", f"{name}:{path}")]
    words += [word for key, value in sorted(params["environment"].items()) for word in ("--env", f"{key}={value}")]
    return [*words, by_digest(params["image"])]


def shown(params: dict[str, Any]) -> str:
    """The container for a diff, without values of the environment, which may be secret."""
    public = {key: params[key] for key in DESCRIBED} | {"environment": sorted(params["environment"])}
    return str(yaml.safe_dump(public))


def converge(module: Module, engine: Engine) -> dict[str, Any]:
    """Create, start or remove the container and return the module's result. Raises EngineError."""
    params, act = module.params, not module.check_mode
    found = [each for each in engine.containers(f"name={params['name']}") if each["Name"].lstrip("/") == params["name"]]
    status = found[0]["State"]["Status"] if found else "absent"
    present = params["state"] == "present"
    fits = present and bool(found) and (found[0]["Config"].get("Labels") or {}).get(LABEL) == made_from(params)
    remove, make, start = bool(found) and not fits, present and not fits, fits and status != "running"
    if act and remove:
        engine.run("rm", "--force", params["name"])
    if act and make:
        if params["network"]:
            engine.ensure_network(params["network"])
        engine.run(*command(params))
    if act and start:
        engine.run("start", params["name"])
    if act and not present:
        for volume in params["volumes"]:
            engine.remove_volume(volume)
        if params["network"]:
            engine.remove_network(params["network"])
    before = f"{params['name']}: {status}\n"
    after = f"{params['name']}: running\n{shown(params) if make else ''}" if present else f"{params['name']}: absent\n"
    changed = remove or make or start
    return {"changed": changed, "status": status, "diff": {"before": before, "after": after if changed else before}}


def main() -> None:
    """Run the module."""
    module = Module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "image": {"type": "str"},
            "engine": {"type": "str", "choices": ["docker", "podman"], "default": "docker"},
            "network": {"type": "str", "default": ""},
            "publish": {"type": "list", "elements": "str", "default": []},
            "volumes": {"type": "dict", "default": {}},
            "environment": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ("image",))],
    )
    with module.reporting(EngineError, before=f"{module.params['name']}: {module.params['engine']} says: "):
        result = converge(module, Engine(module.params["engine"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
