# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Record the host key of a given machine at the first contact, and refuse another one."""

from __future__ import annotations

DOCUMENTATION = """
module: ssh_host_key
short_description: Record the host key of a given machine at the first contact, and refuse another one
description:
  - Connects with ssh itself, so that C(~/.ssh/config), jump hosts and ports are as in every other connection, but
    without any way to log in.
  - A key that F(~/.ssh/known_hosts) of the user has already is good and is not recorded again.
  - Runs on the controller.
options:
  who:
    description: The machine in words, for messages.
    type: str
    required: true
  host:
    description: Name or address for ssh.
    type: str
    required: true
  port:
    description: Port for ssh.
    type: int
  user:
    description: User for ssh; only C(~/.ssh/config) may ask for it.
    type: str
  arguments:
    description: Further arguments for ssh, as C(ansible_ssh_common_args).
    type: str
    default: ""
  known_hosts:
    description: File of the recorded keys.
    type: path
    required: true
attributes:
  check_mode:
    description: Records nothing.
    support: full
  diff_mode:
    description: Shows the key that is recorded.
    support: full
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: The machine has the host key of the first contact
  opendata.platform.ssh_host_key:
    who: metal-1 (192.0.2.11)
    host: 192.0.2.11
    known_hosts: /srv/fleet/.state/ssh/given_known_hosts
  delegate_to: localhost
"""

RETURN = """
message:
  description: What a person must compare, at the first contact only.
  returned: success
  type: str
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.node import ssh_host_key as pure

SECONDS = 10


def ask(params: dict[str, Any], strict: str) -> pure.Verdict:
    """What ssh says; of an option that is given twice it takes the first."""
    options = {
        "StrictHostKeyChecking": strict,
        "UserKnownHostsFile": pure.files(params["known_hosts"]),
        "HashKnownHosts": "no",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "PreferredAuthentications": "none",
        "LogLevel": "INFO",
        "ConnectTimeout": SECONDS,
        "ControlMaster": "no",
        "ControlPath": "none",
    }
    command = ["ssh", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    command += shlex.split(params["arguments"])
    command += ["-p", str(params["port"])] if params["port"] else []
    command += ["-l", params["user"]] if params["user"] else []
    command += ["--", params["host"], "true"]
    # A jump host has a time limit of its own.
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3 * SECONDS, check=False
    )
    return pure.verdict(done.returncode, done.stderr)


def known(host: str, file: str) -> str:
    """Kinds and fingerprints that a file has of a host."""
    path = os.path.expanduser(file)
    command = ["ssh-keygen", "-l", "-F", host, "-f", path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return pure.recorded(done.stdout)


def pin(module: AnsibleModule, found: pure.Verdict) -> str:
    """Record an unknown key; returns its fingerprint, in check mode only its kind."""
    file = Path(module.params["known_hosts"])
    if module.check_mode:
        return found.key
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    said = ask(module.params, "accept-new")
    return known(found.host, str(file)) or module.fail_json(msg=pure.silent(module.params["who"], said.reason))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "who": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "port": {"type": "int"},
            "user": {"type": "str"},
            "arguments": {"type": "str", "default": ""},
            "known_hosts": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    who, file, key = module.params["who"], module.params["known_hosts"], ""
    try:
        found = ask(module.params, "yes")
        if found.state == "silent":
            module.fail_json(msg=pure.silent(who, found.reason))
        # Also of a key that is unknown: one of another kind beside those that are recorded is another key.
        for each in (file, pure.OWN) if found.host else ():
            if old := known(found.host, each):
                module.fail_json(msg=pure.changed(who, found, old, each))
        key = pin(module, found) if found.state == "unknown" else ""
    except subprocess.TimeoutExpired:
        module.fail_json(msg=pure.silent(who, f"no answer within {3 * SECONDS} seconds"))
    except OSError as error:
        module.fail_json(msg=f"{who}: {error}. Mend that, then run again.")
    after = f"{found.host} {key}\n" if key else ""
    module.exit_json(
        changed=bool(key),
        message=pure.pinned(who, key, file) if key and not module.check_mode else "",
        diff={"before_header": file, "after_header": file, "before": "", "after": after},
    )


if __name__ == "__main__":
    main()
