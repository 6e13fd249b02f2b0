# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Entries, users and aliases are those of Cilium's charts, byte for byte; files/mesh/README.md has their source."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh import chart
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import entries
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.steps import contents, host_aliases

from render import GOLDEN

FILES = GOLDEN / "mesh"
GOLDENS = sorted(path.stem for path in FILES.glob("1.*.yml") if not path.stem.endswith("-aliases"))
ALIASES = sorted(FILES.glob("*-aliases.yml"))


def values(case: str) -> dict[str, Any]:
    return yaml.safe_load((FILES / f"values-{case}.yml").read_text())["clustermesh"]


def peers(case: str) -> list[entries.Peer]:
    asked = [{"name": each["name"], "endpoint": each} for each in values(case)["config"]["clusters"]]
    return entries.wanted(asked, "north", "auto", chart.DOMAIN)


def rendered(name: str) -> dict[str, dict[str, bytes]]:
    """What this collection writes, by object and key."""
    version, _dash, case = name.partition("-")
    found: dict[str, dict[str, bytes]] = {}
    for peer in peers(case):
        for secret, content in entries.render(
            peer, chart.flavour(version), "kube-system", kvstoremesh=case != "agents"
        ).items():
            found.setdefault(secret, {})[peer.name] = content
    users = {f"remote-{peer.name}": "remote" for peer in peers(case)}
    return {**found, "clustermesh-remote-users": {"users.yaml": entries.render_users(users).encode()}}


@pytest.mark.parametrize("name", GOLDENS)
def test_entries_and_users_are_the_charts(name: str) -> None:
    wanted = {
        item["metadata"]["name"]: contents(item) for item in yaml.safe_load_all((FILES / f"{name}.yml").read_text())
    }
    assert rendered(name) == wanted


@pytest.mark.parametrize("path", ALIASES, ids=lambda path: path.stem)
def test_aliases_are_the_charts(path: Path) -> None:
    pairs = {(ip, peer.hostname) for peer in peers("mesh") for ip in peer.ips}
    assert host_aliases(pairs) == yaml.safe_load(path.read_text())


def test_every_minor_version_has_golden_files() -> None:
    """A version of the table without a file would be compared with nothing."""
    for case in ("mesh", "agents"):
        assert {chart.minor(name) for name in GOLDENS if name.endswith(f"-{case}")} == set(chart._TABLE)
    by_pod = {number for number, row in chart._TABLE.items() if not row.aliases_in_entries}
    assert {chart.minor(path.name) for path in ALIASES} == by_pod
