# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The tasks at which the tests of layer e2e kill or disturb a run exist: a renamed task would only be noticed there."""

import re

from repository import ROOT, TESTS

SOURCES = {path.name: path.read_text() for path in sorted((TESTS / "e2e").glob("*.py"))}


def names(role: str) -> list[str]:
    """Names of all tasks of a role, of every role for ``*``."""
    texts = [path.read_text() for path in ROOT.glob(f"roles/{role}/tasks/**/*.yml")]
    return re.findall(r"^\s*- name: (.+)$", "\n".join(texts), re.MULTILINE)


def test_prefixes_in_patterns_exist() -> None:
    patterns = {found for text in SOURCES.values() for found in re.findall(r"\\\| (\w+) \\\| (\w+)\"", text)}
    prefixes = [word for text in SOURCES.values() for word in re.findall(r"kill_at\(\S+, \"\(?([\w|]+)", text)]
    patterns |= {("cluster_k3s", word) for each in prefixes for word in each.split("|")}
    assert {role for role, _prefix in patterns} == {"clustermesh", "cluster_kubeadm", "cluster_k3s"}
    for role, prefix in patterns:
        assert [name for name in names(role) if name.startswith(f"{prefix} |")], f"{role} has no task {prefix} | ..."


def test_tasks_with_a_whole_name_exist() -> None:
    whole = [name for text in SOURCES.values() for name in re.findall(r"reach_task\(\w+, \"([^\"]+)\"", text)]
    assert whole and set(whole) <= set(names("*"))
