# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Create a machine with systemd-nspawn and wait until it answers SSH."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nspawn_machine
short_description: Manage a systemd-nspawn machine that is reached by SSH
version_added: 0.1.0
description:
  - Creates and starts the machine and waits until it answers SSH.
  - The machine's root is an overlay over a read-only tree that all machines share. containerd, kubelet, etcd and
    volumes have directories of their own. Everything is in C(/var/lib/odp/<fleet>/machines/<name>).
  - Its mounts are in a mount namespace of their own and end with it. Its control groups are below those of the run that
    first started a program of the fleet, or are created by systemd where systemd manages this host (not run).
  - The machine is supervised. It is restarted after a reboot from inside and after a kill. A machine that was powered
    off is started by the next run.
  - A file of O(files) that was changed inside the running machine is repaired without a restart. The machine is
    restarted when its address, bridge or root changes.
attributes:
  check_mode:
    support: full
    description: Nothing is written or started; RV(planned) is true if the machine does not answer yet.
  diff_mode: {description: Names the files that differ., support: full}
options:
  fleet: {description: Name of the fleet., type: str, required: true}
  name: {description: Name and host name of the machine., type: str, required: true}
  address: {description: Address of the machine., type: str, required: true}
  network:
    description: Network of the bridge; its first address is the host, the machine's gateway.
    type: str
    required: true
  bridge: {description: Bridge that the machine is connected to., type: str, required: true}
  base:
    description: Directory of the tree below the machine's root. A machine keeps the tree that it was created with.
    type: path
    required: true
  images:
    description:
      - Directory of images that M(opendata.platform.nspawn_images) unpacked; empty for none. A machine keeps the one
        that it was created with.
    type: path
    default: ''
  keys: {description: Directory of the fleet's SSH keys; see M(opendata.platform.ssh_keys)., type: path, required: true}
  start: {description: Shell script that boots the machine., type: str, required: true}
  files:
    description: Files in the machine's root, in addition to those of its identity (names, address, keys, machine-id).
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path in the machine., type: str, required: true}
      content: {description: Text of the file., type: str, default: ''}
      mode: {description: Octal mode of the file., type: str, default: '0644'}
      link: {description: "Target of a symbolic link, instead of a file.", type: str, default: ''}
  masked: {description: Units that the machine's systemd must not start., type: list, elements: str, default: []}
  seconds: {description: Seconds to wait until the machine answers SSH., type: int, default: 60}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Start the machine
  opendata.platform.nspawn_machine:
    fleet: local
    name: north-1
    address: 10.77.0.11
    network: 10.77.0.0/24
    bridge: odp-local
    base: /root/.cache/odp/artifacts/machine_root-4711/rootfs
    images: /root/.cache/odp/images/0f3a5c7e9b1d
    keys: /srv/platform/inventories/local/.state/ssh
    start: "{{ lookup('ansible.builtin.file', 'start') }}"
    files:
      - path: /etc/motd
        content: Created by the platform.
    masked: [systemd-udevd.service]
"""

RETURN = r"""
planned:
  description: In check mode, whether the machine does not exist or run yet, so that later tasks cannot reach it.
  type: bool
  returned: always
restarted: {description: Whether the machine was started., type: bool, returned: always}
base: {description: Tree below the machine's root., type: str, returned: always}
"""

import uuid
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.files import atomic_write
from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import images, layout
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import machine as guest
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.layout import STATE
from ansible_collections.opendata.platform.plugins.module_utils.nspawn.machine import GuestFile
from ansible_collections.opendata.platform.plugins.module_utils.supervisor import client
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import UP, Supervisor, SupervisorError

STOP_SECONDS = 20


def _text(path: Path) -> str:
    """Return the text of a file, empty if there is none."""
    return path.read_text() if path.exists() else ""


class Machine:
    """A machine as the task describes it, and as it is on this host."""

    def __init__(self, module: Module) -> None:
        params = module.params
        self.name, self.keys, self.address = params["name"], Path(params["keys"]), params["address"]
        self.network = params["network"]
        self.home = STATE / params["fleet"] / "machines" / self.name
        self.config = self.home / "config"
        self.supervisor = Supervisor.of_fleet(params["fleet"])
        # A machine keeps the tree and the images that it was created with.
        self.exists = (self.home / "base").exists()
        self.base = _text(self.home / "base").strip() or params["base"]
        self.images = _text(self.home / "images").strip() if self.exists else params["images"]
        self.files = [GuestFile(f["path"], f["content"], int(f["mode"], 8), f["link"]) for f in params["files"]]
        self.files += [GuestFile(f"/etc/systemd/system/{unit}", link="/dev/null") for unit in params["masked"]]
        self.files += self._identity()
        self.start = GuestFile("/start", params["start"], 0o755)
        self.program = client.Program(
            name=self.name,
            command=["/bin/sh", str(self.home / "start"), "run"],
            environment={
                "ODP_FLEET": params["fleet"],
                "ODP_MACHINE": self.name,
                "ODP_BASE": self.base,
                "ODP_BRIDGE": params["bridge"],
                **({"ODP_IMAGES": self.images} if self.images else {}),
                # Not read by the script: a new address or host key needs a restart.
                "ODP_ADDRESS": layout.machine_address(self.address, self.network),
                "ODP_HOST_KEY": _text(self.keys / "hosts" / f"{self.name}.pub").strip(),
            },
            # A reboot from inside exits with 133, a power-off with 0.
            autorestart="unexpected",
            stop_seconds=STOP_SECONDS,
        )

    def _identity(self) -> list[GuestFile]:
        """Return the files of the machine's identity; keys are empty as long as there are none (check mode)."""
        identity = _text(self.config / "etc/machine-id") or f"{uuid.uuid4().hex}\n"
        gateway = layout.bridge_address(self.network).split("/")[0]
        network = f"ADDRESS={layout.machine_address(self.address, self.network)}\nGATEWAY={gateway}\n"
        public, host_key = _text(self.keys / "id_ed25519.pub"), self.keys / "hosts" / self.name
        return [
            GuestFile("/etc/machine-id", identity, 0o444),
            GuestFile("/etc/hostname", f"{self.name}\n"),
            GuestFile("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{self.address} {self.name}\n"),
            GuestFile("/etc/odp-machine", network),
            GuestFile("/etc/ssh/ssh_host_ed25519_key", _text(host_key), 0o600),
            GuestFile("/etc/ssh/ssh_host_ed25519_key.pub", _text(host_key.with_name(f"{self.name}.pub")), 0o644),
            GuestFile("/root/.ssh/authorized_keys", public, 0o600),
        ]

    def running(self) -> bool:
        """Return whether supervisord runs the machine."""
        return self.supervisor.state(self.name) in UP

    def restart_due(self) -> bool:
        """Return whether the machine has to be started or restarted."""
        current = _text(self.supervisor.program_file(self.name))
        return current != client.program_text(self.program, self.supervisor.logs) or not self.running()

    def differing(self) -> list[GuestFile]:
        """Return the files that differ, on the host or inside the running machine."""
        root = guest.guest_root(self.supervisor.pid(self.name))
        trees = [self.config, *([root] if root else [])]
        found = [file for file in self.files if not all(file.matches(tree) for tree in trees)]
        return found if self.start.matches(self.home) else [*found, self.start]

    def write(self, files: list[GuestFile]) -> None:
        """Write files on the host and inside the running machine."""
        for directory in (self.home.parent.parent, self.home.parent, self.home, self.config):
            directory.mkdir(exist_ok=True, mode=0o755 if directory == self.config else 0o700)
        if self.images and not self.exists:
            images.share(Path(self.images), self.home / "volumes/containerd")
            atomic_write(self.home / "images", f"{self.images}\n", 0o644)
        atomic_write(self.home / "base", f"{self.base}\n", 0o644)
        root = guest.guest_root(self.supervisor.pid(self.name))
        for file in files:
            for tree in [self.home] if file is self.start else [self.config, *([root] if root else [])]:
                file.write(tree)


def main() -> None:
    """Read the task's options, create the machine and wait until it answers SSH."""
    file_spec = {
        "path": {"type": "str", "required": True},
        "content": {"type": "str", "default": ""},
        "mode": {"type": "str", "default": "0644"},
        "link": {"type": "str", "default": ""},
    }
    required = ("fleet", "name", "address", "network", "bridge", "start")
    module = Module(
        {
            **{name: {"type": "str", "required": True} for name in required},
            "base": {"type": "path", "required": True},
            "images": {"type": "path", "default": ""},
            "keys": {"type": "path", "required": True, "no_log": False},
            "files": {"type": "list", "elements": "dict", "options": file_spec, "default": []},
            "masked": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "int", "default": 60},
        },
    )
    machine = Machine(module)
    where = f"machine {machine.name} of fleet {module.params['fleet']}"
    # In check mode they may be planned, as the machine is.
    made = machine.exists or not module.check_mode
    for name, path in (("root", machine.base), ("images", machine.images)):
        if made and path and not Path(path).is_dir():
            module.fail_json(
                msg=f"{where}: the directory {path} of its {name} is gone. Run ./odp down and ./odp up to recreate it."
            )
    planned = False
    with module.reporting(SupervisorError, OSError, before=f"{where}: "):
        differing, restart = machine.differing(), machine.restart_due()
        if module.check_mode:
            planned = bool(restart or guest.ssh_answers(machine.address, machine.keys))
        else:
            if differing:
                machine.write(differing)
            if restart:
                machine.supervisor.apply(machine.program)
            if reason := guest.wait_for_ssh(machine.address, machine.keys, machine.running, module.params["seconds"]):
                console = machine.supervisor.log_tail(machine.name)
                module.fail_json(msg=f"{where} does not answer SSH: {reason}. Its console:\n{console}")
    lines = [*(f"{file.path}: written" for file in differing), *(["machine: started"] if restart else [])]
    module.exit_json(
        changed=bool(differing or restart),
        planned=planned,
        restarted=restart,
        base=machine.base,
        diff=difference(where, "", "".join(f"{line}\n" for line in lines)),
    )


if __name__ == "__main__":
    main()
