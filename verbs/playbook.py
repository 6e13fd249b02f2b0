# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs up, down, status: one playbook run against one inventory. Further arguments go to ansible-playbook."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from inventory import ROOT, default, find

PLAYBOOKS = {"up": "site.yml", "down": "playbooks/down.yml", "status": "playbooks/status.yml"}
NOTHING = '{"ok": false, "clusters": []}\n'


def main() -> int:
    """Exit code of the playbook; 0 only when all is well."""
    parser = argparse.ArgumentParser(prog="odp", add_help=False, allow_abbrev=False)
    parser.add_argument("verb", choices=PLAYBOOKS)
    parser.add_argument("--json", action="store_true")
    known, rest = parser.parse_known_args()
    name = rest.pop(0) if rest and not rest[0].startswith("-") else default()
    path = find(name)
    command = ["ansible-playbook", PLAYBOOKS[known.verb], "-i", os.path.relpath(path, ROOT), *rest]
    if known.verb == "down":
        command += confirmation(path)
    if known.json and known.verb != "status":
        sys.exit("odp: only the verb status knows --json.")
    return status_json(command) if known.json else subprocess.run(command, cwd=ROOT, check=False).returncode


def confirmation(path: Path) -> list[str]:
    """Asks for the fleet's name where a person is there and machines are not of our making; the playbook checks it."""
    from hosts import Fleet  # only here: it imports Ansible

    fleet = Fleet(path)
    given = [node for node in fleet.hosts("nodes") if fleet.value(node, "node_machine", "given") != "nspawn"]
    if not given or not sys.stdin.isatty():
        return []
    answer = input(f"This changes given machines ({', '.join(given)}). Type the name of the fleet to go on: ")
    return ["-e", f"down_confirm={answer.strip()}"]


def status_json(command: list[str]) -> int:
    """Prints one JSON object on stdout; what Ansible says goes to stderr, and only when something is wrong."""
    with tempfile.TemporaryDirectory() as directory:
        answer = Path(directory) / "status.json"
        environment = {**os.environ, "ODP_STATUS_FILE": str(answer)}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if run.returncode:
            sys.stderr.write(run.stdout)
        sys.stdout.write(answer.read_text() if answer.exists() else NOTHING)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
