# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Save the machines of a fleet on this host, and restore them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nspawn_snapshot
short_description: Save the machines of a fleet on this host, or restore them
version_added: 0.2.0
description:
  - With O(state=saved) the machines are stopped and copied, with the kubeconfigs, keys and certificates in the state
    directory. A snapshot of that name is never overwritten.
  - With O(state=restored) the machines and these files are replaced by those of the snapshot. Machines that do not
    exist any more are created again.
  - The machines are stopped afterwards; M(opendata.platform.nspawn_machine) starts them. Both states always change
    something.
attributes:
  check_mode: {description: Refuses as usual and changes nothing., support: full}
  diff_mode: {description: Lists the machines., support: full}
options:
  fleet: {description: Name of the fleet., type: str, required: true}
  directory:
    description: Directory of the inventory that owns the fleet. A fleet of another directory is refused.
    type: path
    required: true
  store: {description: Directory of all snapshots of all fleets., type: path, required: true}
  name:
    description: Name of the snapshot. Letters, digits, C(.), C(_) and C(-), the first a letter or digit.
    type: str
    required: true
  state_directory: {description: The fleet's directory of kubeconfigs and keys., type: path, required: true}
  network: {description: Network of the machines., type: str, required: true}
  machines: {description: Address of each machine by its name., type: dict, required: true}
  state:
    description: Whether to save or to restore.
    type: str
    choices: [saved, restored]
    default: saved
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Restore the machines
  opendata.platform.nspawn_snapshot:
    fleet: local
    directory: /srv/platform/inventories/local
    store: /root/.cache/odp/snapshots
    name: tuesday
    state_directory: /srv/platform/inventories/local/.state
    network: 10.77.0.0/24
    machines: {north-1: 10.77.0.11, south-1: 10.77.0.21}
    state: restored
"""

RETURN = r"""
path: {description: The snapshot., type: str, returned: success, sample: /root/.cache/odp/snapshots/local/tuesday}
stopped:
  description: Time at which the machines were stopped, in ISO 8601, UTC.
  type: str
  returned: success
  sample: "2026-11-30T17:00:00Z"
"""

import datetime
import re
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host, snapshot
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.layout import STATE
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import SupervisorError


def refusals(module: Module, directory: Path) -> list[str]:
    """Return why the snapshot cannot be saved or restored, one sentence each."""
    fleet, name, machines = module.params["fleet"], module.params["name"], module.params["machines"]
    found = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        return [f"name: {name!r} must be letters, digits, '.', '_' and '-', the first a letter or digit."]
    owner = host.records().get(fleet, {}).get("directory", module.params["directory"])
    if owner != module.params["directory"]:
        found.append(f"the fleet on this host belongs to {owner}. Run ./odp snapshot there.")
    if module.params["state"] == "restored":
        return found + snapshot.refusals(directory, module.params["network"], machines)
    if directory.exists():
        found.append(f"it exists. Choose another name, or remove it first: ./odp snapshot remove {name}")
    if absent := [each for each in sorted(machines) if not (STATE / fleet / "machines" / each / "start").exists()]:
        found.append(f"there is no machine {', '.join(absent)} on this host. Run ./odp up first.")
    return found


def main() -> None:
    """Read the task's options, then save or restore."""
    required = ("fleet", "name", "network")
    module = Module(
        {
            **{name: {"type": "str", "required": True} for name in required},
            **{name: {"type": "path", "required": True} for name in ("directory", "store", "state_directory")},
            "machines": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["saved", "restored"], "default": "saved"},
        },
    )
    fleet, name, machines = module.params["fleet"], module.params["name"], module.params["machines"]
    directory, state = Path(module.params["store"]) / fleet / name, Path(module.params["state_directory"])
    where, saves = f"snapshot {name} of fleet {fleet}", module.params["state"] == "saved"
    module.refuse(f"{where}: {text}" for text in refusals(module, directory))
    stopped = datetime.datetime.now(datetime.UTC)
    with module.reporting(host.HostError, SupervisorError, OSError, before=f"{where}: "):
        if not module.check_mode and saves:
            snapshot.save(directory, fleet, module.params["network"], machines, state)
        elif not module.check_mode:
            snapshot.restore(directory, fleet, state)
    module.exit_json(
        changed=True,
        path=str(directory),
        stopped=stopped.strftime("%Y-%m-%dT%H:%M:%SZ"),
        diff=difference(where, "", "".join(f"machine {each}: {module.params['state']}\n" for each in sorted(machines))),
    )


if __name__ == "__main__":
    main()
