# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep a program running under the supervisord of a fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
module: supervised
short_description: Manage a long-running program of a fleet with supervisord
version_added: 0.1.0
description:
  - Keeps a program running on the Ansible controller, with or without systemd.
  - Each fleet has one supervisord, the Python package C(supervisor) of the interpreter that runs this module.
    Its configuration, socket and pid file are in C(/run/odp/<fleet>), the logs in C(/var/log/odp/<fleet>).
  - Supervisord is started with the first program and removed, including its files, with the last.
  - A program ends with its supervisord, so that a killed supervisord never leads to a second copy of the program.
  - Changing an option of a program restarts that program only.
attributes:
  check_mode: {description: "Nothing is written, started or stopped.", support: full}
  diff_mode:
    support: full
    description: Shows the state and the configuration of the program without the values of its environment.
options:
  fleet: {description: Name of the fleet., type: str, required: true}
  name: {description: "Name of the program, unique in the fleet.", type: str, required: true}
  command:
    description:
      - The program and its arguments, one element each, run without a shell.
      - A program that starts further processes must end them when it ends.
      - Required with O(state=present).
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment variables of the program. It also gets C(PATH) and C(LANG), but nothing of Ansible's environment.
      - To restart a program when a file that it reads has changed, set a variable to the digest of the file.
    type: dict
    default: {}
  state:
    description: Whether the program runs, or is stopped and removed.
    type: str
    choices: [present, absent]
    default: present
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Start the registry
  delegate_to: localhost
  opendata.platform.supervised:
    fleet: local
    name: registry
    command: [/usr/bin/docker-registry, serve, /var/lib/odp/local/registry.yml]
    environment:
      CONFIG_DIGEST: "{{ registry_configuration | hash('sha256') }}"
"""

RETURN = r"""
status:
  description: State of the program in supervisord's terms, V(ABSENT) if it has no such program.
  type: str
  returned: always
  sample: RUNNING
log:
  description: File with the output of the program.
  type: str
  returned: always
  sample: /var/log/odp/local/registry.log
"""

import re
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.supervisor import client
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import UP, Supervisor, SupervisorError


def described(module: Module) -> client.Program:
    """Return the program of the task; fail with all findings if supervisord cannot run it."""
    environment = {key: str(value) for key, value in module.params["environment"].items()}
    program = client.Program(module.params["name"], module.params["command"], environment)
    if findings := client.program_findings(program):
        module.fail_json(msg="\n".join(findings))
    return program


def shown(text: str, status: str) -> str:
    """Return the part of a program that a diff may show: the values of its environment may be secret."""
    return re.sub(r'="[^"]*"', "=(hidden)", text) + f"status={status}\n" if text else ""


def converge(module: Module, supervisor: Supervisor) -> dict[str, Any]:
    """Bring a program to the wanted state and return the module's result. Raises SupervisorError."""
    name, present = module.params["name"], module.params["state"] == "present"
    wanted = client.program_text(described(module), supervisor.logs) if present else ""
    path, status = supervisor.program_file(name), supervisor.state(name)
    current = path.read_text() if path.exists() else ""
    changed = current != wanted or (status not in UP if present else status != "ABSENT")
    after = "RUNNING" if present else "ABSENT"
    if changed and not module.check_mode:
        if present:
            supervisor.apply(described(module))
        else:
            supervisor.remove(name)
    before_text, after_text = shown(current, status), shown(wanted, after)
    if changed and before_text == after_text:
        after_text += "environment=(changed)\n"
    return {
        "changed": changed,
        "status": after if changed else status,
        "log": str(supervisor.logs / f"{name}.log"),
        "diff": difference(str(path), before_text, after_text),
    }


def main() -> None:
    """Read the task's options and converge."""
    module = Module(
        {
            "fleet": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    )
    where = f"{module.params['name']} of fleet {module.params['fleet']}: "
    with module.reporting(SupervisorError, OSError, before=where):
        result = converge(module, Supervisor.of_fleet(module.params["fleet"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
