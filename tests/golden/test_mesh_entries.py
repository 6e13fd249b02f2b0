# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Entries, users and aliases are those of Cilium's charts, byte for byte; files/mesh/README.md has their source."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.mesh.names import DOMAIN
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import entries, host_aliases, options
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.steps import contents
from ansible_collections.opendata.platform.plugins.module_utils.mesh.versions import flavour

from api_server import STORE
from render import GOLDEN

FILES = GOLDEN / "mesh"
GOLDENS = sorted(path.stem for path in FILES.glob("1.*.yml") if not path.stem.endswith("-aliases"))
ALIASES = sorted(FILES.glob("*-aliases.yml"))


def values(case: str) -> dict[str, Any]:
    return yaml.safe_load((FILES / f"values-{case}.yml").read_text())["clustermesh"]


def peers(case: str) -> list[entries.Peer]:
    asked = [{"name": each["name"], "endpoint": each} for each in values(case)["config"]["clusters"]]
    return options.wanted(asked, "north", "auto", DOMAIN)


def rendered(name: str) -> dict[str, dict[str, bytes]]:
    """What this collection writes, by object and key."""
    version, _dash, case = name.partition("-")
    found: dict[str, dict[str, bytes]] = {}
    for peer in peers(case):
        for secret, content in entries.render(
            peer, flavour(version), "kube-system", kvstoremesh=case != "agents"
        ).items():
            found.setdefault(secret, {})[peer.name] = content
    users = {f"remote-{peer.name}": "remote" for peer in peers(case)}
    return {**found, "clustermesh-remote-users": {"users.yaml": entries.render_users(users).encode()}}


@pytest.mark.parametrize("name", GOLDENS)
def test_entries_and_users_are_the_charts(name: str) -> None:
    chart = {
        item["metadata"]["name"]: contents(item) for item in yaml.safe_load_all((FILES / f"{name}.yml").read_text())
    }
    assert rendered(name) == chart


@pytest.mark.parametrize("path", ALIASES, ids=lambda path: path.stem)
def test_aliases_are_the_charts(path: Path) -> None:
    pairs = {(ip, peer.hostname) for peer in peers("mesh") for ip in peer.ips}
    assert host_aliases.items(pairs) == yaml.safe_load(path.read_text())


def test_all_versions_are_there() -> None:
    assert {name.partition("-")[0] for name in GOLDENS} == {"1.18.11", "1.19.6", "1.20.2"}
    assert len(ALIASES) == 2


@pytest.mark.parametrize("case", ["mesh", "agents", "ipv6"])
def test_the_chart_of_the_store_renders_the_golden_file(case: str) -> None:
    charts, helms = sorted(STORE.glob("cilium_chart-*/cilium")), sorted(STORE.glob("helm-*/helm"))
    if not charts or not helms:
        pytest.skip(f"no chart of Cilium or no helm under {STORE}: ./odp up makes them")
    version = yaml.safe_load((charts[-1] / "Chart.yaml").read_text())["version"]
    command = [str(helms[-1]), "template", "cilium", str(charts[-1]), "-n", "kube-system"]
    command += ["-f", str(FILES / f"values-{case}.yml"), "--set", "clustermesh.apiserver.tls.authMode=migration"]
    for template in ("clustermesh-config/clustermesh-secret", "clustermesh-config/kvstoremesh-secret"):
        command += ["-s", f"templates/{template}.yaml"] if "kvstoremesh" not in template or case != "agents" else []
    command += ["-s", "templates/clustermesh-apiserver/users-configmap.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    # Releases of helm differ in the empty lines between objects.
    golden = (FILES / f"{version}-{case}.yml").read_text()
    assert [*filter(None, yaml.safe_load_all(done.stdout))] == [*yaml.safe_load_all(golden)]
