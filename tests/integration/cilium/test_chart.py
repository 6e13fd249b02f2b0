# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The golden files against the chart of Cilium in the artifact store."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_store import newest
from repository import TESTS

FILES = TESTS / "golden/files"


def paths(values: dict[str, Any], above: str = "") -> Iterator[str]:
    """Each key of the values as a path: a, a.b, …"""
    for key, value in values.items():
        yield above + key
        if isinstance(value, dict):
            yield from paths(value, f"{above}{key}.")


@pytest.mark.parametrize("path", sorted((FILES / "cilium").glob("*.yml")), ids=lambda path: path.stem)
def test_the_chart_knows_every_value(path: Path) -> None:
    known = {*paths(yaml.safe_load(newest("cilium_chart-*/cilium/values.yaml").read_text()))}
    assert {*paths(yaml.safe_load(path.read_text()))} - known == set()


@pytest.mark.parametrize("case", ["mesh", "agents", "ipv6"])
def test_the_chart_renders_the_golden_entries(case: str) -> None:
    chart = newest("cilium_chart-*/cilium")
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    command = [str(newest("helm-*/helm")), "template", "cilium", str(chart), "-n", "kube-system"]
    command += ["-f", str(FILES / f"mesh/values-{case}.yml"), "--set", "clustermesh.apiserver.tls.authMode=migration"]
    for template in ("clustermesh-config/clustermesh-secret", "clustermesh-config/kvstoremesh-secret"):
        command += ["-s", f"templates/{template}.yaml"] if "kvstoremesh" not in template or case != "agents" else []
    command += ["-s", "templates/clustermesh-apiserver/users-configmap.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    # Releases of helm differ in the empty lines between objects.
    golden = (FILES / f"mesh/{version}-{case}.yml").read_text()
    assert [*filter(None, yaml.safe_load_all(done.stdout))] == [*yaml.safe_load_all(golden)]
