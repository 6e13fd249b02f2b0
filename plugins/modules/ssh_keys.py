# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Create the SSH keys of a fleet's machines.

Kept beside community.crypto.openssh_keypair, which fails in check mode while the directory of a key is still to be
created, and starts a process per key in every run.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_keys
short_description: Manage the SSH keys of the machines that a fleet creates
version_added: 0.1.0
description:
  - Creates one client key (C(id_ed25519)), one host key per machine (C(hosts/<name>)) and C(known_hosts) in
    O(directory). All keys are Ed25519. Existing keys are kept.
  - Because the controller creates the host keys, even the first connection is verified.
attributes:
  check_mode: {description: Nothing is written., support: full}
  diff_mode: {description: "Lists the files, and shows the lines of F(known_hosts).", support: full}
options:
  directory: {description: "Directory of the keys, readable by its owner only.", type: path, required: true}
  machines: {description: "The address of each machine, by its name.", type: dict, required: true}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Create the SSH keys of the machines
  opendata.platform.ssh_keys:
    directory: /srv/platform/inventories/local/.state/ssh
    machines:
      north-1: 10.77.0.11
"""

RETURN = r"""
made:
  description: The files that were written.
  type: list
  elements: str
  returned: always
  sample: [id_ed25519, known_hosts]
"""

import subprocess
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.files import atomic_write
from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference


def make_key(path: Path, comment: str) -> None:
    """Create a key without passphrase; the public half is moved into place first, so that a private key has one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.new")
    for half in (new, new.with_name(f"{new.name}.pub")):
        half.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(new)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    new.with_name(f"{new.name}.pub").rename(path.with_name(f"{path.name}.pub"))
    new.rename(path)


def known_hosts(directory: Path, machines: dict[str, str]) -> str:
    """Return the text of known_hosts: name and address of each machine with its public key."""
    lines = []
    for name, address in sorted(machines.items()):
        public = directory / "hosts" / f"{name}.pub"
        kind, key = public.read_text().split()[:2] if public.exists() else ("ssh-ed25519", "(not created yet)")
        lines.append(f"{name},{address} {kind} {key}\n")
    return "".join(lines)


def main() -> None:
    """Create the keys that are missing."""
    module = Module(
        argument_spec={"directory": {"type": "path", "required": True}, "machines": {"type": "dict", "required": True}},
    )
    directory, machines = Path(module.params["directory"]), module.params["machines"]
    keys = {"id_ed25519": "opendata-platform", **{f"hosts/{name}": name for name in sorted(machines)}}
    missing = {key: comment for key, comment in keys.items() if not (directory / key).exists()}
    listing = directory / "known_hosts"
    before = listing.read_text() if listing.exists() else ""
    try:
        if missing and not module.check_mode:
            for key, comment in missing.items():
                make_key(directory / key, comment)
        after = known_hosts(directory, machines)
        if before != after and not module.check_mode:
            atomic_write(listing, after)
    except (OSError, subprocess.CalledProcessError) as error:
        module.fail_json(msg=f"{directory}: {error} {getattr(error, 'stderr', '') or ''}".strip())
    made = [*missing, *(["known_hosts"] if before != after else [])]
    module.exit_json(
        changed=bool(made),
        made=made,
        diff=difference(str(directory), before, after + "".join(f"{key}: created\n" for key in missing)),
    )


if __name__ == "__main__":
    main()
