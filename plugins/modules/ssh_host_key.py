# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Record the host key of an existing host on the first connection, and refuse any other key later."""

from __future__ import annotations

DOCUMENTATION = """
module: ssh_host_key
short_description: Manage the SSH host key of an existing host
version_added: 0.1.0
description:
  - Records the key on the first connection and fails when the host sends another key later.
  - Connects with ssh, so that C(~/.ssh/config), jump hosts and ports apply as in every other connection, but does not
    log in.
  - A key in F(~/.ssh/known_hosts) of the user is accepted and not recorded again.
  - Runs on the controller.
options:
  name: {description: "Name of the machine in the inventory, for messages.", type: str, required: true}
  address: {description: "Address of the machine in the inventory, for messages.", type: str, required: true}
  where: {description: "The inventory file that names the machine, for messages.", type: str, required: true}
  host: {description: Name or address for ssh., type: str, required: true}
  port: {description: Port for ssh., type: int}
  user: {description: "User for ssh, which C(~/.ssh/config) may depend on.", type: str}
  arguments: {description: "Additional arguments for ssh, such as C(ansible_ssh_common_args).", type: str, default: ""}
  known_hosts: {description: File that the keys are recorded in., type: path, required: true}
attributes:
  check_mode: {description: Records nothing., support: full}
  diff_mode: {description: Shows the key to record., support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Check the host key
  opendata.platform.ssh_host_key:
    name: metal-1
    address: 192.0.2.11
    where: inventories/prd/hosts.yml
    host: 192.0.2.11
    known_hosts: /srv/fleet/.state/ssh/existing_known_hosts
  delegate_to: localhost
"""

RETURN = """
message: {description: "The fingerprint to compare, on the first connection only.", returned: success, type: str}
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.node import preflight
from ansible_collections.opendata.platform.plugins.module_utils.node import ssh_host_key as pure

SECONDS = 10


def run(command: list[str], timeout: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal, whatever its exit code."""
    nothing = subprocess.DEVNULL
    return subprocess.run(command, stdin=nothing, capture_output=True, text=True, timeout=timeout, check=False)


def ask(params: dict[str, Any], strict: str) -> pure.Verdict:
    """Connect with ssh and judge the key; ssh uses the first of options that are given twice."""
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
    # A jump host has its own time limit.
    done = run([*command, "--", params["host"], "true"], timeout=3 * SECONDS)
    return pure.verdict(done.returncode, done.stderr)


def known(host: str, file: str) -> str:
    """Kinds and fingerprints of the keys of a host in a file."""
    return pure.recorded(run(["ssh-keygen", "-l", "-F", host, "-f", os.path.expanduser(file)]).stdout)


def judge(params: dict[str, Any], check: bool) -> tuple[str, str]:
    """Compare the key of the host with the recorded one, and record it on the first connection.

    :returns: the name of the host in known_hosts, and the new key, in check mode its kind only; empty if there is none.
    :raises Refused: when the host sends no key, or another one.
    """
    about, file = (params["name"], params["address"]), params["known_hosts"]
    found = ask(params, "yes")
    if found.state == "silent":
        raise Refused(preflight.unreachable(*about, found.reason, params["where"]))
    # Also of a key that is unknown: one of another kind beside those that are recorded is another key.
    for each in (file, pure.OWN) if found.host else ():
        if old := known(found.host, each):
            raise Refused(pure.changed(*about, params["where"], found, old, each))
    if check or found.state != "unknown":
        return found.host, found.key if found.state == "unknown" else ""
    Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(file).touch(mode=0o600)
    again = ask(params, "accept-new")
    if key := known(found.host, file):
        return found.host, key
    raise Refused(preflight.unreachable(*about, again.reason, params["where"]))


class Refused(Exception):
    """The key is not accepted."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))


def main() -> None:
    """Run the module."""
    module = Module(
        {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "where": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "port": {"type": "int"},
            "user": {"type": "str"},
            "arguments": {"type": "str", "default": ""},
            "known_hosts": {"type": "path", "required": True},
        },
    )
    params, file = module.params, module.params["known_hosts"]
    try:
        host, key = judge(params, module.check_mode)
    except Refused as refused:
        module.fail_json(msg=str(refused))
    except subprocess.TimeoutExpired:
        late = f"no answer within {3 * SECONDS} seconds"
        module.fail_json(msg=str(preflight.unreachable(params["name"], params["address"], late, params["where"])))
    except OSError as error:
        module.fail_json(msg=f"{params['name']}: {error}. Fix that, then run again.")
    module.exit_json(
        changed=bool(key),
        message=pure.pinned(params["name"], key, file) if key and not module.check_mode else "",
        diff=difference(file, "", f"{host} {key}\n" if key else ""),
    )


if __name__ == "__main__":
    main()
