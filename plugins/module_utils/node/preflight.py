# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Check whether a machine can be a node. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..findings import Finding


def findings(
    facts: Mapping[str, Any],
    node: Mapping[str, Any],
    systems: Mapping[str, list[str]],
    memory: Mapping[str, int],
    file: str,
) -> list[Finding]:
    """Return everything that keeps a machine from being a node.

    :param facts: what module node_facts returned.
    :param node: the node's entry in the fleet record.
    :param systems: supported versions by the id of an operating system.
    :param memory: MiB that a node needs, by role.
    :param file: the inventory file that names the machine.
    """

    def error(variable: str, problem: str, step: str, value: object) -> None:
        found.append(Finding("error", node["name"], variable, problem, step, file, value=str(value)))

    found: list[Finding] = []
    system, role = facts["os"], node["role"]
    if system["version"] not in systems.get(system["id"], []):
        supported = "; ".join(f"{name} {', '.join(versions)}" for name, versions in sorted(systems.items()))
        name = system["name"] or "an unknown system"
        step = f"Supported: {supported}. Install one of these, or remove the machine from the inventory."
        error("node_address", f"{node['address']} runs {name}, which is not supported", step, name)
    if not facts["systemd"]:
        problem = f"{node['address']} does not run systemd as its init"
        error("node_address", problem, "Boot it with systemd.", "no systemd")
    if facts["memory_mib"] < memory[role]:
        problem = f"{role} needs {memory[role]} MiB of memory, {node['address']} has {facts['memory_mib']}"
        error("node_role", problem, "Add memory, or change the role.", role)
    return found


def unreachable(name: str, address: str, reason: str, file: str) -> Finding:
    """Return the finding about a machine that does not answer SSH."""
    problem = f"{address} does not answer SSH: {reason.rstrip('.')}"
    step = "Correct node_address or the keys, or start the machine."
    return Finding("error", name, "node_address", problem, step, file, value=address)


def answer_finding(answer: Mapping[str, Any], node: Mapping[str, Any], file: str) -> Finding | None:
    """Return what is wrong with the answer of a machine, None if nothing is.

    :param answer: result of the raw command in the role's check.
    :param node: the node's entry in the fleet record.
    :param file: the inventory file that names the machine.
    """
    name, address = node["name"], node["address"]
    if answer.get("unreachable"):
        return unreachable(name, address, " ".join(str(answer.get("msg", "")).split()), file)
    words = str(answer.get("stdout", "")).split()
    if answer.get("rc", 1) != 0 or words[2:3] != ["python"]:
        output = " ".join(str(answer.get("stderr") or answer.get("stdout", "")).split())
        problem = f"python3 does not run as root on {address}: {output.rstrip('.')}"
        step = "Install python3, and allow the user to become root with sudo."
        return Finding("error", name, "node_address", problem, step, file, value=output)
    if words[1] != "0":
        problem, step = f"user {words[1]} of {address} is not root", "Set ansible_become, or a user that may use sudo."
        return Finding("error", name, "ansible_user", problem, step, file, value=words[1])
    if (int(words[3]), int(words[4])) < (3, 10):
        version = f"{words[3]}.{words[4]}"
        problem = f"python3 of {address} is {version}, 3.10 or later is required"
        return Finding("error", name, "node_address", problem, "Install a supported system.", file, value=version)
    return None
