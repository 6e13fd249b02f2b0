#!/usr/bin/python
# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keep a program of a fleet running under the fleet's supervisord."""

from __future__ import annotations

DOCUMENTATION = r"""
module: supervised
short_description: Keep a program of a fleet running
version_added: 0.1.0
description:
  - Keeps a long-running program alive on the machine that Ansible runs on, with or without systemd there.
  - Each fleet has one supervisord, the Python package C(supervisor) of the interpreter that runs this module.
    Its configuration, socket and pid file are in C(/run/odp/<fleet>), the logs in C(/var/log/odp/<fleet>).
  - Supervisord is started with the first program and removed, files and all, with the last.
  - A program dies with its supervisord, so a killed supervisord is followed by a clean start, never by a second copy.
  - Changing any option of a program restarts it, other programs keep running.
attributes:
  check_mode:
    support: full
    description: Nothing is written, started or stopped.
  diff_mode:
    support: full
    description: Shows the program's section without the values of its environment, and its state.
options:
  fleet:
    description: Name of the fleet whose supervisord it is.
    type: str
    required: true
  name:
    description: Name of the program, unique in the fleet.
    type: str
    required: true
  command:
    description:
      - The program and its arguments, one element each. No shell reads them.
      - A program that is made of several processes must end them all when it ends.
      - Needed with O(state=present).
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment variables of the program. It gets C(PATH) and C(LANG) besides, and nothing of Ansible's own.
      - To restart a program when a file that it reads has changed, name a digest of the file here.
    type: dict
    default: {}
  autorestart:
    description: Whether a program that ended is started again; V(unexpected) means unless it ended with O(exitcodes).
    type: str
    choices: [always, unexpected, never]
    default: always
  exitcodes:
    description: Exit statuses that are a wanted end.
    type: list
    elements: int
    default: [0]
  start_seconds:
    description: Seconds that the program must live to count as started.
    type: int
    default: 1
  stop_seconds:
    description: Seconds that the program may take to end after SIGTERM before it is killed.
    type: int
    default: 10
  state:
    description: Whether the program runs, or is stopped and forgotten.
    type: str
    choices: [present, absent]
    default: present
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Registry of the fleet is running
  delegate_to: localhost
  opendata.platform.supervised:
    fleet: local
    name: registry
    command: [/usr/bin/docker-registry, serve, /var/lib/odp/local/registry.yml]
    environment:
      CONFIG_DIGEST: "{{ registry_configuration | hash('sha256') }}"

- name: Registry of the fleet is gone
  delegate_to: localhost
  opendata.platform.supervised:
    fleet: local
    name: registry
    state: absent
"""

RETURN = r"""
status:
  description: Supervisord's word for the program's state after the run, V(ABSENT) if it knows no such program.
  type: str
  returned: always
  sample: RUNNING
log:
  description: The file that holds what the program prints.
  type: str
  returned: always
  sample: /var/log/odp/local/registry.log
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import (
    UP,
    Supervisor,
    SupervisorError,
)
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.config import (
    Program,
    program_findings,
    program_text,
)


def described(module: AnsibleModule) -> Program:
    """Return the program that the task describes; fails the module with all findings if supervisord cannot run it."""
    options = ("name", "command", "autorestart", "exitcodes", "start_seconds", "stop_seconds")
    environment = {key: str(value) for key, value in module.params["environment"].items()}
    program = Program(environment=environment, **{key: module.params[key] for key in options})
    if findings := program_findings(program):
        module.fail_json(msg="\n".join(findings))
    return program


def shown(text: str, status: str) -> str:
    """Return what a diff may show of a program: the values of its environment may be secret."""
    return re.sub(r'="[^"]*"', "=(hidden)", text) + f"status={status}\n" if text else ""


def converge(module: AnsibleModule, supervisor: Supervisor) -> dict:
    """Bring one program to the wanted state and return the module's result. Raises SupervisorError."""
    name, present = module.params["name"], module.params["state"] == "present"
    wanted = program_text(described(module), supervisor.logs) if present else ""
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
        "diff": {"before_header": str(path), "after_header": str(path), "before": before_text, "after": after_text},
    }


def main() -> None:
    """Read the task's options and converge."""
    module = AnsibleModule(
        argument_spec={
            "fleet": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "autorestart": {"type": "str", "choices": ["always", "unexpected", "never"], "default": "always"},
            "exitcodes": {"type": "list", "elements": "int", "default": [0]},
            "start_seconds": {"type": "int", "default": 1},
            "stop_seconds": {"type": "int", "default": 10},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module, Supervisor.of_fleet(module.params["fleet"]))
    except (SupervisorError, OSError) as error:
        module.fail_json(msg=f"{module.params['name']} of fleet {module.params['fleet']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
