# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs that run one playbook against one inventory. Other arguments are passed to ansible-playbook."""

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
# Verbs that support --json, each with its output if the playbook did not run.
NOTHING = {
    "status": {"clusters": [], "services": []},
    "verify": {"checks": []},
    "mesh status": {"clusters": {}},
    "mesh test": {"checks": []},
}


def main() -> int:
    """Exit code of the playbook; without --json this process becomes the playbook, so that it gets Ctrl-C itself."""
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
        sys.exit(f"odp: only these verbs support --json: {', '.join(NOTHING)}.")
    if known.json:
        return as_json(command, verb)
    os.chdir(ROOT)
    return os.execvp(command[0], command)


def of_mesh(rest: list[str]) -> str:
    """The verb that mesh and the first argument form; exits with the list for any other argument."""
    verbs = [verb.removeprefix("mesh ") for verb in PLAYBOOKS if verb.startswith("mesh ")]
    given = rest.pop(0) if rest else ""
    if given not in verbs:
        sys.exit(f"odp: there is no verb '{f'mesh {given}'.strip()}'.{near(given, verbs)}")
    return f"mesh {given}"


def confirmation(path: Path) -> list[str]:
    """Asks for the name of a fleet that `down` removes only in part, if there is a terminal; the playbook checks it."""
    from hosts import Fleet  # only here, because it imports Ansible

    fleet = Fleet(path)
    existing = [node for node in fleet.hosts("nodes") if fleet.value(node, "node_machine", "existing") != "nspawn"]
    existing += [name for name in fleet.hosts("clusters") if fleet.value(name, "cluster_provider") == "existing"]
    if not existing or not sys.stdin.isatty():
        return []
    answer = input(
        f"The fleet has hosts elsewhere or existing clusters ({', '.join(existing)}). Type its name to tear it down: "
    )
    return ["-e", f"down_confirm={answer.strip()}"]


def as_json(command: list[str], verb: str) -> int:
    """Prints one JSON object to stdout; Ansible's output goes to stderr, and only after a failure."""
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
