# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs that run one playbook against one inventory. Further arguments go to ansible-playbook."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from inventory import ROOT, default, find, near

PLAYBOOKS = {
    "up": "site.yml",
    "bootstrap": "playbooks/bootstrap.yml",
    "sync": "playbooks/sync.yml",
    "rescue": "playbooks/rescue.yml",
    "upgrade": "playbooks/upgrade.yml",
    "remove": "playbooks/remove.yml",
    "backup": "playbooks/backup.yml",
    "restore": "playbooks/restore.yml",
    "renew": "playbooks/renew.yml",
    "down": "playbooks/down.yml",
    "status": "playbooks/status.yml",
    "verify": "playbooks/verify.yml",
    "mesh status": "playbooks/mesh_status.yml",
    "mesh test": "playbooks/mesh_test.yml",
}
# Verbs that know --json, each with its answer when there was no run.
NOTHING = {
    "status": {"clusters": [], "services": []},
    "verify": {"checks": []},
    "mesh status": {"clusters": {}},
    "mesh test": {"checks": []},
}


def main() -> int:
    """Exit code of the playbook; 0 only when all is well."""
    parser = argparse.ArgumentParser(prog="odp", add_help=False, allow_abbrev=False)
    parser.add_argument("verb")
    parser.add_argument("--json", action="store_true")
    known, rest = parser.parse_known_args()
    verb = of_mesh(rest) if known.verb == "mesh" else known.verb
    name = rest.pop(0) if rest and not rest[0].startswith("-") else default()
    path = find(name)
    command = ["ansible-playbook", PLAYBOOKS[verb], "-i", os.path.relpath(path, ROOT), *rest]
    if verb == "down":
        command += confirmation(path)
    if known.json and verb not in NOTHING:
        sys.exit(f"odp: only these verbs know --json: {', '.join(NOTHING)}.")
    return as_json(command, verb) if known.json else subprocess.run(command, cwd=ROOT, check=False).returncode


def of_mesh(rest: list[str]) -> str:
    """The verb that the first argument makes of mesh, taken off; ends the program with the list for any other."""
    verbs = [verb.removeprefix("mesh ") for verb in PLAYBOOKS if verb.startswith("mesh ")]
    given = rest.pop(0) if rest else ""
    if given not in verbs:
        sys.exit(f"odp: there is no verb '{f'mesh {given}'.strip()}'.{near(given, verbs)}")
    return f"mesh {given}"


def confirmation(path: Path) -> list[str]:
    """Asks for the fleet's name where a person is there and not all is of our making; the playbook checks it."""
    from hosts import Fleet  # only here: it imports Ansible

    fleet = Fleet(path)
    given = [node for node in fleet.hosts("nodes") if fleet.value(node, "node_machine", "existing") != "nspawn"]
    given += [name for name in fleet.hosts("clusters") if fleet.value(name, "cluster_provider") == "existing"]
    if not given or not sys.stdin.isatty():
        return []
    answer = input(f"This changes what was given ({', '.join(given)}). Type the name of the fleet to go on: ")
    return ["-e", f"down_confirm={answer.strip()}"]


def as_json(command: list[str], verb: str) -> int:
    """Prints one JSON object on stdout; what Ansible says goes to stderr, and only when something is wrong."""
    with tempfile.TemporaryDirectory() as directory:
        answer = Path(directory) / "status.json"
        environment = {**os.environ, "ODP_STATUS_FILE": str(answer)}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if run.returncode:
            sys.stderr.write(run.stdout)
        sys.stdout.write(answer.read_text() if answer.exists() else json.dumps({"ok": False, **NOTHING[verb]}) + "\n")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
