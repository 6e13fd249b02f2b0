# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What keeps a machine from being a node, in sentences. Pure."""

from __future__ import annotations

from typing import Any


def findings(
    facts: dict[str, Any], node: dict[str, Any], systems: dict[str, list[str]], memory: dict[str, int], file: str
) -> list[str]:
    """All that is wrong with a machine.

    :param facts: what module node_facts found.
    :param node: the node's entry in the fleet record.
    :param systems: versions supported by os id.
    :param memory: MiB that a node needs, by role.
    :param file: the inventory file that names the machine.
    :returns: one sentence each, with the machine, the value, the file and the next step.
    """
    who, found = f"{node['name']} ({node['address']}, {file})", []
    system = facts["os"]
    if system["version"] not in systems.get(system["id"], []):
        known = "; ".join(f"{name} {', '.join(versions)}" for name, versions in sorted(systems.items()))
        found.append(
            f"{who}: runs {system['name'] or 'an unknown system'}, which is not supported. Supported: {known}. "
            "Install one of these, or take the machine out of the inventory."
        )
    if not facts["systemd"]:
        found.append(f"{who}: systemd is not its init, which a node needs. Boot it with systemd.")
    if facts["memory_mib"] < memory[node["role"]]:
        found.append(
            f"{who}: has {facts['memory_mib']} MiB of memory, node_role {node['role']} needs {memory[node['role']]}. "
            "Give it more, or another role."
        )
    return found


def answer_finding(answer: dict[str, Any], node: dict[str, Any], file: str) -> str:
    """What is wrong with how a machine answers.

    :param answer: result of the raw command in the role's check.
    :param node: the node's entry in the fleet record.
    :param file: the inventory file that names the machine.
    :returns: one sentence; empty if all is well.
    """
    who = f"{node['name']} (node_address {node['address']}, {file})"
    if answer.get("unreachable"):
        reason = " ".join(str(answer.get("msg", "")).split())
        return f"{who}: does not answer SSH: {reason} Correct node_address or the keys, or start the machine."
    words = str(answer.get("stdout", "")).split()
    if answer.get("rc", 1) != 0 or words[2:3] != ["python"]:
        said = " ".join(str(answer.get("stderr") or answer.get("stdout", "")).split())
        return f"{who}: python3 does not run there by sudo: {said}. Install python3 and let the user become root."
    if words[1] != "0":
        return f"{who}: user {words[1]} is not root. Set ansible_become or a user that may use sudo."
    if (int(words[3]), int(words[4])) < (3, 10):
        return f"{who}: its python3 is {words[3]}.{words[4]}, 3.10 or newer is needed. Install a supported system."
    return ""
