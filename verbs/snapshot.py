# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb snapshot: copies of the machines that this host made. Other arguments are passed to ansible-playbook."""

import os
import shutil
import sys
from pathlib import Path

from hosts import ROOT
from inventory import default, find, near

# isort: split
# The import of hosts makes the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import snapshot

STORE = Path("~/.cache/odp/snapshots").expanduser()
VERBS = ("save", "restore", "list", "remove")


def main() -> None:
    """Replaces this process by the playbook that saves or restores; lists and removes by itself."""
    verb, *rest = sys.argv[1:] or [""]
    if verb not in VERBS:
        sys.exit(f"odp: there is no verb '{f'snapshot {verb}'.strip()}'.{near(verb, list(VERBS))}")
    name = "" if verb == "list" else named(verb, rest)
    inventory = find(rest.pop(0) if rest and not rest[0].startswith("-") else default())
    if verb in ("save", "restore"):
        state = "saved" if verb == "save" else "restored"
        command = ["ansible-playbook", "playbooks/snapshot.yml", "-i", os.path.relpath(inventory, ROOT)]
        os.chdir(ROOT)
        os.execvp(command[0], [*command, "-e", f"snapshot_name={name}", "-e", f"snapshot_state={state}", *rest])
    store = STORE / inventory.name
    if verb == "list":
        print("\n".join(listed(store)))
    elif name in names(store):
        shutil.rmtree(store / name)
    else:
        sys.exit(f"odp: fleet {inventory.name} has no snapshot '{name}'. Known: {', '.join(names(store)) or 'none'}.")


def named(verb: str, rest: list[str]) -> str:
    """The name that a verb needs; exits without one."""
    if not rest or rest[0].startswith("-"):
        sys.exit(f"odp: snapshot {verb} needs the name of a snapshot: ./odp snapshot {verb} NAME [inventory]")
    return rest.pop(0)


def names(store: Path) -> list[str]:
    """The names of a fleet's snapshots, whole ones only."""
    return sorted(path.name for path in store.glob("*") if snapshot.read(path))


def listed(store: Path) -> list[str]:
    """A line for each snapshot of a fleet: name, moment, machines."""
    found = [(name, snapshot.read(store / name)) for name in names(store)]
    return [f"{name}  {record.saved}  {', '.join(record.addresses)}" for name, record in found if record]


if __name__ == "__main__":
    main()
