# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs ssh and kubectl, for the inventory that ODP_INVENTORY names (default: local)."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import yaml

from hosts import Fleet
from inventory import default, find

# isort: split
# The import of hosts makes the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.fleet.paths import known_hosts as known_hosts_file
from ansible_collections.opendata.platform.plugins.module_utils.node import ssh_host_key as host_key


def main() -> None:
    """Replaces this process by ssh or kubectl, which get its terminal and set its exit code."""
    verb, name, *rest = sys.argv[1:]
    fleet = Fleet(find(default()))
    command = ssh(fleet, name, rest) if verb == "ssh" else kubectl(fleet, name, rest)
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"odp: {command[0]} is not installed. Install it: apt-get install openssh-client")


def ssh(fleet: Fleet, node: str, command: list[str]) -> list[str]:
    """The ssh command with the options that Ansible would use for the node."""
    fleet.member("nodes", node)
    key = fleet.value(node, "ansible_ssh_private_key_file")
    user = fleet.value(node, "ansible_user")
    return [
        "ssh",
        *shlex.split(fleet.value(node, "ansible_ssh_common_args")),
        *known_hosts(fleet, node),
        *(["-i", key] if key else []),
        *(["-l", user] if user else []),
        *(["-p", str(port)] if (port := fleet.value(node, "ansible_port")) else []),
        fleet.value(node, "ansible_host", fleet.value(node, "node_address")),
        *(["--", *command] if command else []),
    ]


def known_hosts(fleet: Fleet, node: str) -> list[str]:
    """The known_hosts file of the fleet, for hosts whose inventory sets no other."""
    nodes = {node: {"machine": fleet.value(node, "node_machine", "existing")}}
    arguments = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
    if not host_key.unpinned(nodes, {node: {name: fleet.value(node, name) for name in arguments}}):
        return []
    return shlex.split(host_key.arguments(str(known_hosts_file(fleet.state)), check=False))


def kubectl(fleet: Fleet, cluster: str, arguments: list[str]) -> list[str]:
    """kubectl with the cluster's own kubeconfig."""
    kubeconfig = fleet.state / "kubeconfigs" / fleet.member("clusters", cluster)
    if not kubeconfig.exists():
        sys.exit(f"odp: {cluster} has no kubeconfig yet ({kubeconfig}). Create the cluster: ./odp up {fleet.path.name}")
    cache = fleet.state / "cache"
    return [kubectl_binary(fleet.state), "--kubeconfig", str(kubeconfig), "--cache-dir", str(cache), *arguments]


def kubectl_binary(state: Path) -> str:
    """The fleet's kubectl from the artifact store, by the digest in its lock file; else the one in PATH."""
    lock, store = state / "artifacts.lock.yml", Path("~/.cache/odp/artifacts").expanduser()
    entries = (yaml.safe_load(lock.read_text()) or {}) if lock.exists() else {}
    locked = entries.get("binaries", {})
    # The nodes' own may be for another platform than the controller's.
    name = "controller-kubectl" if "controller-kubectl" in locked else "kubectl"
    digest = locked.get(name, {}).get("digest", "").removeprefix("sha256:")
    for made in sorted(store.glob("*.json")) if digest else []:
        own = made.with_suffix("") / name
        if digest in made.read_text() and own.is_file():
            return str(own)
    in_path = shutil.which("kubectl")
    return in_path or sys.exit(f"odp: there is no kubectl, neither in {store} nor in PATH. ./odp up provides it.")


if __name__ == "__main__":
    main()
